/** MUSTs of the specification that no file shows, or that concern what we do not have. */
export const unchecked: readonly { readonly must: string; readonly why: string }[] = [
  {
    must: 'BilledCost, ContractedCost, ListCost and EffectiveCost are denominated in the BillingCurrency.',
    why: 'A number does not show its currency; that an invoice has one currency is checked.',
  },
  {
    must: 'BilledCost reflects all pricing adjustments, and no portion that a related purchase covers.',
    why: 'What was agreed does not stand in the files. Prepaid credit is a row of its own, as on the invoice.',
  },
  {
    must: 'Who may not invoice a charge generates none with a BilledCost.',
    why: 'Who may invoice does not stand in the files; we have one issuer.',
  },
  {
    must: 'ContractedCost, ListCost and EffectiveCost of Tax are calculated from those of the related charges.',
    why: 'Which charges a tax is on does not stand in the files.',
  },
  {
    must: 'ContractedCost equals ListCost where no negotiated terms apply.',
    why: 'Whether terms were negotiated does not stand in the files.',
  },
  {
    must: 'ListUnitPrice is what the provider suggests; ContractedUnitPrice reflects what was agreed for the SkuPriceId.',
    why: 'A price list is not among the files. `invoice recompute` compares prices with the plan.',
  },
  {
    must: 'PricingUnit is semantically equal to the unit of the price list and of the invoice.',
    why: 'A price list is not among the files.',
  },
  {
    must: 'SkuId and SkuPriceId remain consistent over time, over billing accounts and contracts.',
    why: 'One export shows one month. In it, that a SkuPriceId has one SkuId is checked.',
  },
  {
    must: 'The sum of EffectiveCost equals the sum of BilledCost where purchases and what they cover are both in the data.',
    why: 'Credit is bought in one month and used in others: true of a whole term, not of a month.',
  },
  {
    must: 'PricingCategory is Standard, Committed, Dynamic or Other by how the price came about.',
    why: 'How a price came about does not stand in the files.',
  },
  {
    must: 'SkuPriceDetails has only properties that apply to its SkuPriceId, of a single PricingUnit.',
    why: 'What applies to a SKU does not stand in the files. Ours are two texts.',
  },
  {
    must: 'HostProviderName is the host that the customer selected.',
    why: 'A tenant selects none.',
  },
  {
    must: 'SubAccountId, RegionId and ResourceId are null where a charge is of none, and not null where it is.',
    why: 'What a charge is of does not stand elsewhere in the files.',
  },
  {
    must: 'Texts keep their case and spacing, and names those of their time.',
    why: 'The origin of a text is not among the files.',
  },
  {
    must: 'An issued invoice and its charges are never changed; corrections replace and omit nothing, and count nothing twice.',
    why: 'That takes two exports. Our documents are frozen, and `period verify` makes them again byte for byte.',
  },
  {
    must: 'InvoiceIssueStatus and BillingPeriodStatus do not go back to Open unless the customer asks.',
    why: 'That takes two exports. Reopening a month takes two people and a reason.',
  },
  {
    must: 'A charge of an open month has an InvoiceId where a provisional invoice exists.',
    why: 'We have no provisional invoices.',
  },
  {
    must: 'InvoiceDetailGrain has the set of all properties that uniquely define the line.',
    why: 'Which properties define a line does not stand in the files.',
  },
  {
    must: 'PaymentDueDate and InvoiceIssueDate are those of the document.',
    why: 'The printed document is not among the files; that an invoice has one of each is checked.',
  },
  {
    must: 'ContractCommitmentDiscountPercentage is of one tier; it is net of all layers.',
    why: 'No commitment of ours has a discount.',
  },
  {
    must: 'A commitment that is replaced under a new identifier is Superseded.',
    why: 'That takes two exports.',
  },
  {
    must: 'Custom columns, delivery, completeness and the kind of corrections are documented.',
    why: 'Documentation is not in the files: `src/billing/focus/README.md` has it.',
  },
  {
    must: 'Rules of commitment discounts, capacity reservations, split allocation, resources, tags and pricing currencies between columns.',
    why: 'The columns do not apply (above). Should a file have one, the rules of its cells are asked, those between columns are not.',
  },
]
