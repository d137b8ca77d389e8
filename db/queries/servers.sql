-- name: identify
-- Which server this is: of which cluster, and, of a primary, on which timeline it writes. A promotion begins a new one.
-- Behind a pooler the process is another than the one that the connection was told of.
select pg_is_in_recovery() as is_standby,
       case when pg_is_in_recovery() then 0
            else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer end as timeline,
       (select system_identifier from pg_control_system()) as cluster_id,
       pg_postmaster_start_time() as started,
       pg_backend_pid() as process_id;

-- name: identify_roughly
-- The same where a managed server keeps the rest to itself.
select pg_is_in_recovery() as is_standby, 0 as timeline, 0::bigint as cluster_id,
       pg_postmaster_start_time() as started, pg_backend_pid() as process_id;
