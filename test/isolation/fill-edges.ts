import type { Database } from '../../src/db/index.ts'

/** A row for each tenant in the tables of the control plane and of Stripe, and one in those that belong to nobody. */
export async function fillEdges(database: Database, tenantIds: readonly string[]): Promise<void> {
  const { systemPool: pool } = database
  await pool.query(
    `insert into admin_token (token_id, name, roles, secret_hmac, pepper_version, created_at, created_by, makers, expires_at)
     values ('token', 'a test', '{auditor}', '\\x00', 1, now(), 'a test', '{}', now() + interval '1 day')`,
  )
  for (const [index, tenantId] of tenantIds.entries()) {
    await pool.query(
      `insert into admin_request (tenant_id, actor, idempotency_key, request_sha256) values ($1, 'a test', 'key', '\\x00')`,
      [tenantId],
    )
    await pool.query(`insert into stripe_customer (tenant_id, customer, recorded_at) values ($1, $2, now())`, [
      tenantId,
      `cus_${index}`,
    ])
    await pool.query(
      `insert into sign_in (tenant_id, kind, issuer, client_id, scopes, groups_claim, roles)
       select tenant_id, kind, 'https://idp.test', 'formulary', '{openid}', 'groups', '{}' from tenant where tenant_id = $1`,
      [tenantId],
    )
    await pool.query(
      `insert into admin_session (tenant_id, secret_sha256, token_id, name, shown_as, roles, began_at, used_at, ends_at)
       values ($1::uuid, sha256(convert_to($1::uuid::text, 'UTF8')), 'token', 'a test', 'a test', '{tenant-viewer}', now(), now(), now() + interval '1 hour')`,
      [tenantId],
    )
    await pool.query(`insert into stripe_lane (tenant_id, meter, held_until) values ($1, 'm', now())`, [tenantId])
    await pool.query(
      `insert into stripe_usage (tenant_id, meter, hour, revision, quantity, written_at)
       values ($1, 'm', '2026-01-01T00:00:00Z', 1, 1, now())`,
      [tenantId],
    )
    await pool.query(
      `insert into stripe_invoice (tenant_id, invoice, currency, total_minor, written_at) values ($1, 'INV', 'USD', 1, now())`,
      [tenantId],
    )
    await pool.query(
      `insert into stripe_difference (tenant_id, invoice, line, class, here, there, found_at)
       values ($1, 'INV', 'total', 'amount_differs', '1', '2', now())`,
      [tenantId],
    )
    await pool.query(
      `insert into stripe_hour (tenant_id, meter, hour, quantity, read_at) values ($1, 'm', '2026-01-01T00:00:00Z', 1, now())`,
      [tenantId],
    )
    await pool.query(
      `insert into stripe_line (tenant_id, invoice, stripe_line, amount_minor, read_at) values ($1, 'INV', 'il_1', 1, now())`,
      [tenantId],
    )
    await pool.query(
      `with run as (
         insert into reconciliation (period_start, run_at, run_by, reports, figures)
         values ('2026-01-01T00:00:00Z', now(), 'a test', '{}', '{}') returning run_id)
       insert into reconciliation_exception (tenant_id, period_start, class, subject, ours_units, theirs_units, ours_picos,
         theirs_picos, facts, fingerprint, first_run, last_run)
       select $1, '2026-01-01T00:00:00Z', 'manual', 'a test of ' || $1::uuid, 0, 1, 0, 0, '{}', '0 1', run_id, run_id from run`,
      [tenantId],
    )
  }
  await pool.query(
    `with report as (
       insert into host_report (deployment, period_start, format, sha256, lines, imported_at, imported_by)
       values ('east', '2026-01-01T00:00:00Z', 'csv', 'none', 1, now(), 'a test') returning report_id)
     insert into host_usage (report_id, line, at, attempt, model, input_units, output_units, status)
     select report_id, 2, '2026-01-01T00:00:00Z', 1, 'scribe', 1, 1, 200 from report`,
  )
  await pool.query(
    `insert into reconciliation_candidate (run_id, request_id) values (gen_random_uuid(), gen_random_uuid())`,
  )
  await pool.query(`insert into installation (first_started_at) values (now()) on conflict do nothing`)
  await pool.query(`insert into stripe_meter (meter, meter_id, recorded_at) values ('m', 'mtr_1', now())`)
  await pool.query(`insert into stripe_product (sku, product, recorded_at) values ('m', 'prod_1', now())`)
  await pool.query(
    `insert into stripe_price (lookup_key, sku, plan, plan_revision, price, shape, recorded_at)
     values ('k', 'm', 'standard', 1, 'price_1', '{}', now())`,
  )
  await pool.query(`insert into stripe_event (event_id, type, received_at) values ('evt_1', 'invoice.paid', now())`)
  await pool.query(
    `insert into change_request (operation, params, body, widens, asked_by, asked_kind, asked_roles, asked_makers, asked_at)
     values ('amendLicense', '{}', '{}', '{}', 'a test', 'token', '{licensing}', '{}', now())`,
  )
}
