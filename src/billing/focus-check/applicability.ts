/**
 * What a column of level Conditional depends on, and whether it is so with us. A condition that is not here applies: a new
 * one in the model makes its columns mandatory until somebody has said why not.
 */
export const conditions: Readonly<Record<string, { readonly applies: boolean; readonly why: string }>> = {
  'Supports data generator-calculated split cost allocation': {
    applies: false,
    why: 'Each charge is of one facility, which the call names; nothing is split by what others used.',
  },
  'Supports deploying resources or services within an availability zone': {
    applies: false,
    why: 'A deployment has a region and no zone.',
  },
  'Supports more than one possible BillingAccountType value': {
    applies: false,
    why: 'There is one type of billing account, the tenant.',
  },
  'Supports capacity reservations': { applies: false, why: 'No capacity is sold.' },
  'Supports commitment discounts': {
    applies: false,
    why: 'No price depends on a commitment: a plan has a least amount a month and prepaid credit, and its prices hold with and without.',
  },
  'Supports commitment programs': {
    applies: false,
    why: 'A commitment is agreed in a license for all its charges; there is no program that a charge may be eligible for.',
  },
  'Supports the measurement of usage': { applies: true, why: 'Calls are metered.' },
  'Supports contract commitments': {
    applies: true,
    why: 'A plan may have a least amount a month, and prepaid credit.',
  },
  'Supports negotiated pricing concepts': {
    applies: true,
    why: 'Evaluations and days of grace have prices of their own.',
  },
  'Supports payable invoices': { applies: true, why: 'A closed month has an invoice.' },
  'Publishes unit prices exclusive of discounts': {
    applies: true,
    why: 'Plans are published to who is licensed under them.',
  },
  'Supports more than one pricing category across all SKUs': {
    applies: false,
    why: 'All prices are agreed in advance: Standard.',
  },
  'Supports pricing and billing in different currencies': {
    applies: false,
    why: 'A plan is priced and billed in one currency.',
  },
  'Supports prices in virtual currency and publishes unit prices exclusive of discounts': {
    applies: false,
    why: 'Prices are in national currencies; prepaid credit is money.',
  },
  'Supports deploying resources or services within a region': { applies: true, why: 'A deployment has a region.' },
  'Supports billing based on provisioned resources': { applies: false, why: 'Nothing is provisioned for a tenant.' },
  'Supports billing based on provisioned resources and supports assigning types to resources': {
    applies: false,
    why: 'Nothing is provisioned for a tenant.',
  },
  'Supports unit pricing concepts and publishes price lists, publicly or as part of contracting': {
    applies: true,
    why: 'A plan is a price list.',
  },
  'Supports a sub account construct': { applies: true, why: 'A facility is a sub account.' },
  'Supports more than one possible SubAccountType value': { applies: false, why: 'There is one type, the facility.' },
  'Supports setting user or provider-defined tags': {
    applies: false,
    why: 'Calls carry no tags, so that nothing about a patient can stand in one.',
  },
  'Offers "Partial Upfront" payment models': {
    applies: false,
    why: 'A commitment is paid by the month, or whole before.',
  },
  'Supports billing and payment in different currencies': {
    applies: false,
    why: 'An invoice is paid in its currency.',
  },
  'Supports billing currency and payment currency at different aggregation levels on payable invoices': {
    applies: false,
    why: 'An invoice is paid in its currency.',
  },
  'Supports customer input of purchase order number': {
    applies: false,
    why: 'No invoice takes a purchase order number.',
  },
}

export const applies = (condition: string): boolean => conditions[condition]?.applies ?? true
