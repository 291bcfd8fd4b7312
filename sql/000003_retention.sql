-- Chunks of hypertables are dropped by who owns them. The worker's role owns nothing: it may ask this function, which
-- drops one old chunk of a table of measurements and nothing else.

do $$
begin
  execute format($create$
create function drop_old_chunk(table_name text, chunk text, cutoff timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  own constant text := %L;
  extension text;
  aged record;
  is_fresh boolean;
  dropped integer;
begin
  if table_name not in ('measurements', 'measurement_features') then
    raise exception 'chunks of %% are not dropped', table_name using errcode = '42501';
  end if;
  select n.nspname into extension from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'timescaledb';
  if extension is null then return 0; end if;
  -- who waits for the sink longer than this tries the next time
  perform set_config('lock_timeout', '10s', true);
  select c.chunk_schema, c.chunk_name, c.range_start, c.range_end into aged
  from timescaledb_information.chunks c
  where c.hypertable_schema = own and c.hypertable_name = table_name
    and format('%%I.%%I', c.chunk_schema, c.chunk_name) = chunk and c.range_end <= cutoff;
  if not found then return 0; end if; -- another process was faster
  begin
    -- no row may come in between the look and the drop
    execute format('lock table %%I.%%I in access exclusive mode', aged.chunk_schema, aged.chunk_name);
  exception when undefined_table then
    return 0;
  end;
  execute format('select exists (select from %%I.%%I where stored_at >= $1)', aged.chunk_schema, aged.chunk_name)
    into is_fresh using cutoff;
  if is_fresh then return 0; end if;
  execute format('select count(*) from %%I.drop_chunks(%%L::regclass, older_than => $1, newer_than => $2)',
    extension, format('%%I.%%I', own, table_name)) into dropped using aged.range_end, aged.range_start;
  return dropped;
end
$body$
$create$, current_schema());
end
$$;
revoke all on function drop_old_chunk(text, text, timestamptz) from public;
comment on function drop_old_chunk is
  'Drops one chunk that ended before the cutoff, unless it holds a row that was stored after it; counts chunks';
