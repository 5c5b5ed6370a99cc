declare const proof: unique symbol
/** A value that only its own domain makes: who holds one knows that the check was passed. */
export type Proven<Name extends string, T> = T & { readonly [proof]: Name }
