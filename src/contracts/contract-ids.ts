/** The numbers of contracts on the wire. Appended, never changed. */
export const CONTRACT = {
  registry: 1,
  consent: 2,
  records: 3,
  access: 4,
  erasure: 5,
  governance: 6,
} as const;
