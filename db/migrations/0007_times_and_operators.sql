-- Times that every store can hold, and who made a change.

-- What was taken before the door refused it: the next time that can be held.
update sales set ends_at = null, version = version + 1 where ends_at not between '1970-01-01Z' and '9999-12-31Z';
update sales set starts_at = least(greatest(starts_at, '1970-01-01Z'), '9999-12-30Z'), version = version + 1
  where starts_at not between '1970-01-01Z' and '9999-12-31Z';
update product_prices set ends_at = null where ends_at not between '1970-01-01Z' and '9999-12-31Z';
delete from product_prices where starts_at not between '1970-01-01Z' and '9999-12-31Z';

alter table sales add constraint sale_times check (
  starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
);
alter table product_prices add constraint price_times check (
  starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
);

-- As whoever holds the ops key names itself; empty: it does not.
alter table ops_log add column operator text not null default '';
