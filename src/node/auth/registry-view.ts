/** A registered party as the edges need it, read from the ledger's state. */
export interface RegisteredParty {
  accountId: string;
  kind: 'organisation' | 'practitioner' | 'device' | 'patient';
  publicKey: Uint8Array;
  /** `suspended` also when the organisation it belongs to is. */
  status: 'active' | 'suspended';
  /** Account id of the organisation; its own for an organisation. */
  organisation: string;
  roles: string[];
}
