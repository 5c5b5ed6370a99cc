import { sql } from 'kysely'
import { canonicalJson, type Json } from '../kernel/index.ts'

/** Made by the database, so that this folder runs wherever the gateway does. */
export const digestOf = (document: Json) => sql<Buffer>`sha256(convert_to(${canonicalJson(document)}, 'UTF8'))`
