import type pg from 'pg'

export interface Writes {
  /**
   * Rows that were written since the watch began, by table and operation, and how many rows each table has. That a
   * gateway renews its own row in `instance` is its pulse and not counted.
   */
  seen(): Promise<{
    readonly written: Readonly<Record<string, number>>
    readonly rows: Readonly<Record<string, number>>
  }>
  /** Ends the watch and removes what it needed. */
  end(): Promise<void>
}

/**
 * Notes each row that is inserted, changed or deleted in any table. `owner` is the role that owns the tables; it is bound
 * by row security itself, so that the counts are taken by the system's pool.
 */
export async function watchWrites(owner: pg.Pool, system: pg.Pool): Promise<Writes> {
  const tables = await owner.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ '^schema_migration'
     order by 1`,
  )
  const names = tables.rows.map(({ name }) => name)
  await owner.query(`
    create table write_note (name text not null);
    create function note_write() returns trigger language plpgsql security definer set search_path = public as $$
    begin
      insert into write_note values (TG_TABLE_NAME || ' ' || lower(TG_OP));
      return null;
    end $$;`)
  // One table after the other, each in a transaction of its own: processes are at work, and take theirs in another order.
  for (const name of names)
    await owner.query(
      `create trigger watched after insert or update or delete on ${name} for each row execute function note_write()`,
    )
  return {
    async seen() {
      const notes = await owner.query<{ name: string; times: string }>(
        `select name, count(*) as times from write_note where name <> 'instance update' group by name`,
      )
      const counts = await system.query<{ name: string; rows: bigint }>(
        names.map((name) => `select '${name}' as name, count(*) as rows from ${name}`).join(' union all '),
      )
      return {
        written: Object.fromEntries(notes.rows.map(({ name, times }) => [name, Number(times)])),
        rows: Object.fromEntries(counts.rows.map(({ name, rows }) => [name, Number(rows)])),
      }
    },
    async end() {
      for (const name of names) await owner.query(`drop trigger watched on ${name}`)
      await owner.query('drop function note_write(); drop table write_note')
    },
  }
}
