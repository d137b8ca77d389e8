-- Products of a sale are shown in the order in which ops named them; those of before stay in the order of their ids.
alter table sale_products add column list_position integer not null default 0;
