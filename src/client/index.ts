export * from './receipts/index.ts';
