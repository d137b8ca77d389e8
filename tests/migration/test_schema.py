"""Migrations and schema.sql are one schema; migrating is safe to repeat and to race."""

from __future__ import annotations

import asyncio
from pathlib import Path

import db as database
from db.connections import pool as pools
from db.migrate import available, migrate, pending

SCHEMA = Path(database.__file__).with_name("schema.sql")

_PICTURE = """
select 'column', table_name, column_name, data_type || coalesce(' default ' || column_default, '') || is_nullable
       || is_identity
  from information_schema.columns where table_schema = 'public' and table_name <> 'schema_migrations'
union all
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  from pg_constraint
  where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'schema_migrations'
union all
select 'index', tablename, indexname, indexdef from pg_indexes
  where schemaname = 'public' and tablename <> 'schema_migrations'
union all
select 'enum', typname, enumlabel, enumsortorder::text from pg_enum join pg_type on pg_type.oid = enumtypid
union all
select 'options', relname, array_to_string(reloptions, ','), relkind::text from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'schema_migrations'
union all
select 'generated', attrelid::regclass::text, attname, pg_get_expr(adbin, adrelid)
  from pg_attribute join pg_attrdef on adrelid = attrelid and adnum = attnum where attgenerated <> ''
union all
select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select 'function', proname, '', pg_get_functiondef(pg_proc.oid) from pg_proc join pg_language l on l.oid = prolang
  where pronamespace = 'public'::regnamespace and lanname in ('plpgsql', 'sql')
union all
select 'view', viewname, substring(definition from 'WHERE.*'), '' from pg_views where schemaname = 'real'
union all
select 'view', table_name, column_name, data_type from information_schema.columns where table_schema = 'real'
union all
select 'text search', cfgname, alias, string_agg(dictname, ',' order by mapseqno)
  from pg_ts_config c join pg_ts_config_map on mapcfg = c.oid join pg_ts_dict d on d.oid = mapdict
  join ts_token_type(c.cfgparser) t on t.tokid = maptokentype
  where cfgnamespace = 'public'::regnamespace group by cfgname, alias
order by 1, 2, 3, 4
"""


async def picture(url: str) -> list[tuple[str, ...]]:
    """Return all that a schema is made of."""
    connection = await pools.connect(url)
    try:
        return [tuple(row.values()) for row in await connection.fetch(_PICTURE)]
    finally:
        await connection.close()


async def test_migrations_give_exactly_the_schema(database_url: str, empty_database_url: str) -> None:
    connection = await pools.connect(empty_database_url)
    await connection.execute(SCHEMA.read_text())
    await connection.close()
    migrated = await picture(database_url)
    assert len(migrated) > 100
    assert await picture(empty_database_url) == migrated


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert await migrate(database_url) == []


async def test_migrations_racing_are_applied_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    assert sorted(applied) == [[], [], [], available()]


async def test_a_database_without_schema_lacks_every_migration(empty_database_url: str) -> None:
    connection = await pools.connect(empty_database_url)
    try:
        assert await pending(connection) == available()
    finally:
        await connection.close()
