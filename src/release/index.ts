export {
  demoteVersion,
  promoteVersion,
  recallVersion,
  signOffVersion,
  type VersionRefusal,
  type VersionWish,
} from './act-on-version.ts'
export { answeredAttributes, Card, cardTexts, missingFor, takenAway } from './card.ts'
export { acknowledgeNotice, issueNotice, listNotices, type NoticeRefusal } from './notices.ts'
export {
  noticeEndsAt,
  objectionsToPromotion,
  type IssuedNotice,
  type PinHolder,
  type PromotionObjection,
} from './promotion.ts'
export { attributeKeys, sourceAttributes } from './source-attributes.ts'
export {
  isSameSignOff,
  SignOffRole,
  signOffRoles,
  standingOf,
  type SignOff,
  type Standing,
  type VersionAct,
} from './standing.ts'
export {
  appendCard,
  appendNotice,
  loadNotices,
  loadPins,
  loadVersions,
  lockCatalog,
  type CardRevision,
  type NoticeRecord,
  type VersionRecord,
} from './store.ts'
export { wordsForVersion } from './words.ts'
