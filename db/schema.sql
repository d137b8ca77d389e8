-- Doorbuster's tables. `db/migrations` applied in order give exactly this (a test compares them).
--
-- Rows of the hot path (orders, order_lines, reservations, order_events) carry no foreign keys: one check per row would
-- cost about as much as writing the row (docs/adr/0003). The audit looks for orphans instead.
-- Who locks what, and in which order, is in docs/locking.md.

create extension if not exists pg_trgm;
create extension if not exists unaccent; -- of old: nothing uses it any more

-- English words, stemmed; and words as they stand, for model numbers.
create text search configuration catalogue_words (copy = pg_catalog.english);
alter text search configuration catalogue_words
  alter mapping for hword, hword_part, word with english_stem;
create text search configuration catalogue_exact (copy = pg_catalog.simple);
alter text search configuration catalogue_exact
  alter mapping for hword, hword_part, word with simple;

-- The states of an order. docs/states.md has the diagram; db/orders/states.py the same table in Python.
create type order_status as enum (
  'pending',      -- reserved, waiting for payment; by the drain
  'confirmed',    -- paid; by the settle shift
  'processing',   -- being packed; by ops or fulfilment
  'shipped',      -- left the house, reserved units became sold; by ops or fulfilment
  'delivered',    -- arrived; by ops or fulfilment
  'cancelled',    -- final: sold out, declined, expired, or taken back before shipping; units given back
  'refunded'      -- final: money returned after delivery
);

-- The steps of the state machine, as db/orders/states.py has them; null: where an order begins.
create view order_steps (was, became) as
  select was::order_status, became::order_status
    from (values (null, 'pending'), (null, 'cancelled'),
                 ('pending', 'confirmed'), ('pending', 'cancelled'),
                 ('confirmed', 'processing'), ('confirmed', 'cancelled'),
                 ('processing', 'shipped'), ('processing', 'cancelled'),
                 ('shipped', 'delivered'), ('delivered', 'refunded')) as steps (was, became);

create type sale_phase as enum (
  'open',    -- takes orders inside its window
  'hold',    -- takes none for now; an operator's pause
  'drain',   -- takes none any more, works off what it accepted
  'closed'   -- over
);

-- How a sale takes money: at the settling, at shipping, or not at all.
create type payment_mode as enum (
  'capture',    -- taken when the order is confirmed
  'authorise',  -- held when it is confirmed, taken parcel by parcel
  'none'        -- no business of ours: confirmed by the drain
);

-- What the payment provider has of an order's money, as far as we were told. Null in `orders`: it was not asked yet.
create type payment_status as enum (
  'requires_action',    -- the shopper must act; by the settle shift
  'authorised',         -- held; by the settle shift
  'captured',           -- taken, all or some of it; by the settle shift, or the money shift at shipping
  'partially_refunded', -- some of it given back; by the money shift
  'refunded',           -- all of it given back; by the money shift
  'voided',             -- let go, never taken; by the money shift
  'failed'              -- declined; by the settle shift
);

-- A text as it is searched, on both sides: what is indexed, and what is asked for (`catalogue/search/folding.py`).
-- Small letters; compatible forms (half and full width, ligatures) are one; final sigma is sigma, the Turkish letters i
-- are i; accents, Hebrew points, Arabic marks, soft hyphens and what else is not seen are left out; the signs of other
-- scripts that make a word another one (Thai and Indic vowels, the marks of Japanese) stay. Signs that are no part of a
-- word become blanks, but for those of ASCII, which models and decimals are told by. Where words are written without
-- blanks between them (Thai, Lao, Khmer, Burmese, Chinese, Japanese) each letter with its marks is a word, joined to
-- the next as the parts of a model are.
create function search_fold(said text) returns text language sql immutable strict parallel safe as $$
  select case when octet_length(said) = length(said) then translate(lower(said collate "C"), chr(1), ' ') else
    regexp_replace(regexp_replace(regexp_replace(
      normalize(
        replace(replace(replace(replace(
          translate(
            lower(replace(regexp_replace(
              normalize(
                translate(
                  -- Digits of other scripts.
                  case when said ~ '[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef'
                                   '\u0be6-\u0bef\u0c66-\u0c6f\u0ce6-\u0cef\u0d66-\u0d6f\u0e50-\u0e59\u0ed0-\u0ed9\u1040-\u1049\u17e0-\u17e9]'
                    then translate(said,
                      '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯੦੧੨੩੪੫੬੭੮੯'
                      '૦૧૨૩૪૫૬૭૮૯௦௧௨௩௪௫௬௭௮௯౦౧౨౩౪౫౬౭౮౯೦೧೨೩೪೫೬೭೮೯൦൧൨൩൪൫൬൭൮൯'
                      '๐๑๒๓๔๕๖๗๘๙໐໑໒໓໔໕໖໗໘໙၀၁၂၃၄၅၆၇၈၉០១២៣៤៥៦៧៨៩',
                      '01234567890123456789012345678901234567890123456789'
                      '01234567890123456789012345678901234567890123456789'
                      '0123456789012345678901234567890123456789')
                    else said end,
                  '™℠' || chr(1), '   '),
                NFKD),
              -- What is not seen, and marks without which a word is the same.
              '[\u00ad\u0300-\u036f\u034f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a'
              '\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a'
              '\u0898-\u089f\u08ca-\u08e1\u08e3-\u08ff\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff'
              '\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20f0\u3164\ufb1e\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0'
              '\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+',
              '', 'g'
            ), 'I', 'i')),
            'ıςøłđðħŧŋىةکیے‐‑‒–—―−⁄',
            'iσolddhtnيهكيي-------/'
          ),
          'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        NFC
      ),
      -- Punctuation, symbols, spaces and controls beyond ASCII.
      '[\u0080-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u02b9-\u02df\u02e5-\u02eb\u02ed'
      '\u02ef-\u02ff\u0375\u037e\u0384-\u0385\u0387\u03f6\u0482\u055a-\u055f\u0589-\u058f\u05be\u05c0\u05c3'
      '\u05c6\u05f3-\u060f\u061b-\u061f\u066a-\u066d\u06d4\u06dd-\u06de\u06e9\u06fd-\u06fe\u0700-\u070f'
      '\u07f6-\u07f9\u07fe-\u07ff\u0830-\u083e\u085e\u0888\u0890-\u0891\u08e2\u0964-\u0965\u0970\u09f2-\u09f3'
      '\u09fa-\u09fb\u09fd\u0a76\u0af0-\u0af1\u0b70\u0bf3-\u0bfa\u0c77\u0c7f\u0c84\u0d4f\u0d79\u0df4\u0e3f'
      '\u0e4f\u0e5a-\u0e5b\u0f01-\u0f17\u0f1a-\u0f1f\u0f34\u0f36\u0f38\u0f3a-\u0f3d\u0f85\u0fbe-\u0fc5'
      '\u0fc7-\u0fda\u104a-\u104f\u109e-\u109f\u10fb\u1360-\u1368\u1390-\u1399\u1400\u166d-\u166e\u1680'
      '\u169b-\u169c\u16eb-\u16ed\u1735-\u1736\u17d4-\u17d6\u17d8-\u17db\u1800-\u180a\u180e\u1940-\u1945'
      '\u19de-\u19ff\u1a1e-\u1a1f\u1aa0-\u1aa6\u1aa8-\u1aad\u1b5a-\u1b6a\u1b74-\u1b7e\u1bfc-\u1bff\u1c3b-\u1c3f'
      '\u1c7e-\u1c7f\u1cc0-\u1cc7\u1cd3\u1fbd\u1fbf-\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed-\u1fef\u1ffd-\u206f'
      '\u207a-\u207e\u208a-\u208e\u20a0-\u20c0\u2100-\u2101\u2103-\u2106\u2108-\u2109\u2114\u2116-\u2118'
      '\u211e-\u2123\u2125\u2127\u2129\u212e\u213a-\u213b\u2140-\u2144\u214a-\u214d\u214f\u218a-\u244a'
      '\u249c-\u24e9\u2500-\u2775\u2794-\u2bff\u2ce5-\u2cea\u2cf9-\u2cfc\u2cfe-\u2cff\u2d70\u2e00-\u2e2e'
      '\u2e30-\u3004\u3008-\u3020\u3030\u3036-\u3037\u303d-\u303f\u309b-\u309c\u30a0\u30fb\u3190-\u3191'
      '\u3196-\u319f\u31c0-\u31e3\u3200-\u321e\u322a-\u3247\u3250\u3260-\u327f\u328a-\u32b0\u32c0-\u33ff'
      '\u4dc0-\u4dff\ua490-\ua4c6\ua4fe-\ua4ff\ua60d-\ua60f\ua673\ua67e\ua6f2-\ua716\ua720-\ua721\ua789-\ua78a'
      '\ua828-\ua82b\ua836-\ua839\ua874-\ua877\ua8ce-\ua8cf\ua8f8-\ua8fa\ua8fc\ua92e-\ua92f\ua95f\ua9c1-\ua9cd'
      '\ua9de-\ua9df\uaa5c-\uaa5f\uaa77-\uaa79\uaade-\uaadf\uaaf0-\uaaf1\uab5b\uab6a-\uab6b\uabeb\ue000-\uf8ff'
      '\ufb29\ufbb2-\ufbc2\ufd3e-\ufd4f\ufdcf\ufdfc-\ufdff\ufe10-\ufe19\ufe30-\ufe6b\ufeff-\uff0f\uff1a-\uff20'
      '\uff3b-\uff40\uff5b-\uff65\uffe0-\ufffd\U0001d100-\U0001d1ff\U0001f000-\U0001faff\U000f0000-\U0010ffff]+',
      ' ', 'g'),
      -- Letters that are words, with their marks, before what follows in one piece; then what comes before such a letter.
      '('
      '[\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u103f'
      '\u1050-\u1055\u1780-\u17b3\u3005-\u3007\u3041-\u3096\u309d-\u30fa\u30fd-\u30ff\u3400-\u4dbf'
      '\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]'
      '[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059'
      '\u17b6-\u17d3\u17dd\u3099\u309a\u30fc]'
      '*)(?!'
      '[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059'
      '\u17b6-\u17d3\u17dd\u3099\u309a\u30fc]'
      ')(?=[^\u0001-\u002f\u003a-\u0060\u007b-\u007f])', '\1_', 'g'),
      '([^\u0001-\u002f\u003a-\u0060\u007b-\u007f])(?='
      '[\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u103f'
      '\u1050-\u1055\u1780-\u17b3\u3005-\u3007\u3041-\u3096\u309d-\u30fa\u30fd-\u30ff\u3400-\u4dbf'
      '\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]'
      ')', '\1_', 'g') end
$$;

-- Words apart, of a folded text; decimals stay whole, thousands lose their comma.
create function search_words(said text) returns text language sql immutable strict parallel safe as $$
  select translate(
    regexp_replace(
      regexp_replace(
        case when strpos(said, ',') = 0 then said
          else regexp_replace(said, '([0-9]),(?=[0-9]{3})', '\1', 'g') end,
        '(?<![^\u0001-\u002f\u003a-\u0060\u007b-\u007f])(?<![0-9][.,])([0-9]+)\.([0-9]+)'
        '(?![^\u0001-\u002f\u003a-\u0060\u007b-\u007f])(?![.,][0-9])',
        '\1' || chr(1) || '\2', 'g'
      ),
      '[\u0002-\u002f\u003a-\u0060\u007b-\u007f]+', ' ', 'g'
    ),
    chr(1), '.'
  )
$$;

-- Model numbers of a folded text, in one piece: dv7-1211ea also as dv71211ea.
create function search_models(said text) returns text language sql immutable strict parallel safe as $$
  select coalesce(string_agg(regexp_replace(found[1], '[\u0001-\u002f\u003a-\u0060\u007b-\u007f]+', '', 'g'), ' '), '')
    from regexp_matches(said, '[^\u0001-\u002f\u003a-\u0060\u007b-\u007f]+'
                              '(?:[-/._+][^\u0001-\u002f\u003a-\u0060\u007b-\u007f]+)+', 'g') as found
    where found[1] ~ '[0-9]'
$$;

-- The words that the parts of a folded category end with, which name its things: of `home > cameras & photo printers`
-- cameras and printers.
create function search_kinds(category text) returns text language sql immutable strict parallel safe
begin atomic
  select coalesce(string_agg(substring(rtrim(search_words(part)) from '[^ ]+$'), ' '), '')
    from regexp_split_to_table(substring(category from '[^>/|]*$'), '[&,;+]|\yand\y') as part;
end;

-- A folded name up to what the thing is for or comes with.
create function search_head(name text) returns text language sql immutable strict parallel safe as $$
  select coalesce(substring(name from '^(.+?)\y(?:for|with|without|incl|including)\y'), name)
$$;

-- The texts among a product's attributes.
create function search_attributes(attributes jsonb) returns text language sql immutable strict parallel safe as $$
  select coalesce(left(string_agg(value #>> '{}', ' . '), 8000), '')
    from jsonb_path_query(attributes, 'strict $.** ? (@.type() == "string")') as value
$$;

-- A: the name up to what it is for or comes with, the product's id, model numbers; B: brand and category;
-- C: the rest of the name and the description; D: attributes. Unstemmed words of name, brand and category stand without
-- a place: found, by the beginning of a word too and where no word counts (The Who), they count for little. What the
-- category ends with stands there with a sign, =camera: that is what the thing is.
create function search_vector(product_id text, name text, brand text, category text, description text, attributes jsonb)
returns tsvector language sql immutable parallel safe
begin atomic
  select setweight(to_tsvector('catalogue_words', search_words(said.head)), 'A')
      || setweight(to_tsvector('catalogue_exact', search_models(said.name) || ' ' || search_words(said.id) || ' '
                                                  || search_models(said.id)), 'A')
      || setweight(to_tsvector('catalogue_words', said.made), 'B')
      || setweight(to_tsvector('catalogue_words', search_words(
                     substr(said.name, length(said.head) + 1) || ' ; ' || said.description)), 'C')
      || setweight(to_tsvector('catalogue_words', search_words(said.more)), 'D')
      || strip(to_tsvector('catalogue_exact', search_words(said.name) || ' ' || said.made || ' '
                                              || search_models(said.more)))
      || array_to_tsvector(array(
           select '=' || lexeme
             from unnest(tsvector_to_array(to_tsvector('catalogue_words', search_kinds(said.category)))) as lexeme))
    from (
      select folded.*, search_head(folded.name) as head
        from (
          select search_fold(product_id) as id, search_fold(name) as name, search_fold(category) as category,
                 search_words(search_fold(brand || ' ; ' || category)) as made,
                 coalesce(search_fold(left(description, 100000)), '') as description,
                 search_fold(search_attributes(attributes)) as more
          offset 0 -- once each, and not wherever it is read
        ) folded
      offset 0
    ) said;
end;

-- Weights of D, C, B and A, as ts_rank_cd takes them: attributes, description, brand, name. A word in a text of ordinary
-- length counts a quarter of one that stands alone (BM25's length normalisation, b = 0.75; lengths in characters).
create function search_weights(name text, description text, attributes jsonb) returns real[]
language sql immutable parallel safe
begin atomic
  select array[
    0.1 / (1 + 3 * coalesce(length(search_attributes(attributes)), 0) / 300.0),
    0.25 / (1 + 3 * coalesce(length(description), 0) / 55.0),
    0.075,
    1.0 / (1 + 3 * length(name) / 55.0)
  ]::real[];
end;

-- Shadows of sales (docs/rehearsal.md) are told by their numbers alone. Numbers from 8388608 (half of what an order id can hold) belong to shadows: order ids, Redis keys and rows carry them.
create function is_shadow(sale_number integer) returns boolean language sql immutable strict parallel safe as $$
  select sale_number >= 8388608
$$;

create function is_shadow_order(order_id uuid) returns boolean language sql immutable strict parallel safe as $$
  select order_id >= '80000000-0000-0000-0000-000000000000'::uuid
$$;

create sequence shadow_numbers as integer minvalue 8388608 maxvalue 16777215 cycle;

create table products (
  product_id  text primary key check (length(product_id) between 1 and 64),
  name        text not null check (length(name) between 1 and 500),
  brand       text not null check (length(brand) <= 200),
  category    text not null check (length(category) <= 200),
  description text,
  price       bigint not null check (price >= 0),             -- minor units
  currency    text not null check (currency ~ '^[A-Z]{3}$'),  -- ISO 4217
  active      boolean not null default true,
  attributes  jsonb not null default '{}',
  version     bigint not null default 1,                      -- grows with every change
  updated_at  timestamptz not null default now(),
  created_at  timestamptz not null default now(),
  search      tsvector not null generated always as (
    search_vector(product_id, name, brand, category, description, attributes)
  ) stored,
  search_weights real[] not null generated always as (
    search_weights(name, description, attributes)
  ) stored,
  -- Of a rehearsal: sold by its shadow alone, shown nowhere, told to nobody.
  shadow      boolean not null default false
);

create index products_search on products using gin (search) where active;
create index products_by_brand on products (search_fold(brand), brand) where active;
create index products_by_category_name on products (search_fold(category), category) where active;
create index products_name_trigrams on products using gin (search_fold(name) gin_trgm_ops) where active;
create index products_by_category on products (category, product_id) where active;
create index products_listed on products (product_id) where active;
create index products_shadow on products (product_id) where shadow;

-- The ledger (promise P2): every unit ever received is in stock, reserved or sold.
create table stock (
  product_id text primary key references products,
  stock      bigint not null default 0,
  reserved   bigint not null default 0,
  sold       bigint not null default 0,
  received   bigint not null default 0,
  constraint stock_not_oversold check (stock >= 0),
  constraint reserved_not_negative check (reserved >= 0),
  constraint sold_not_negative check (sold >= 0),
  constraint stock_ledger_balances check (stock + reserved + sold = received)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

create table stock_movements (
  movement_id bigint generated always as identity primary key,
  product_id  text not null references products,
  quantity    bigint not null check (quantity <> 0),
  reason      text not null,
  at          timestamptz not null default now()
);

create table sales (
  sale_number    integer generated always as identity primary key check (sale_number < 16777216),
  sale_id        text not null unique check (sale_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
  name           text,
  starts_at      timestamptz not null,
  ends_at        timestamptz,
  partitions     smallint not null default 1 check (partitions between 1 and 64),
  hold_s         integer not null default 600 check (hold_s between 1 and 86400),
  prewarm_lead_s integer not null default 1800 check (prewarm_lead_s between 0 and 86400),
  phase          sale_phase not null default 'open',
  room           jsonb not null default '{"mode": "off"}',
  -- Seed of the lobby's shuffle, drawn when the sale is made; its hash is published before, itself after the shuffle.
  room_secret    bytea not null
                 default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
  room_epoch     integer not null default 1 check (room_epoch > 0),  -- bumped to revoke every admission out
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  closed_at      timestamptz,
  payment        payment_mode not null default 'capture',
  hold_extension_s integer not null default 300 check (hold_extension_s between 0 and 86400),
  standby_max    integer not null default 10000 check (standby_max between 0 and 1000000),
  -- Of the sale's HMACs of identities; never shown.
  identity_key   bytea not null
                 default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
  constraint sale_window check (ends_at > starts_at),
  constraint sale_closed_at check ((phase = 'closed') = (closed_at is not null)),
  constraint sale_times check (
    starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
  )
);

-- Beside `sales`, for processes of the version before take a sale's row as it was, column by column. No row: no plan.
create table sale_plans (
  sale_number    integer primary key references sales on delete cascade,
  -- [{"at", "phase"?, "room"?}], in time order. Whoever reads the row evaluates it; nothing ever applies it.
  timeline       jsonb not null default '[]',
  -- The moment at which phase and room were as the row says; what the timeline names after it applies on top. Null: none.
  terms_at       timestamptz,
  plan_closes_at timestamptz,                                   -- of the timeline's closed, after terms_at
  -- {"scale"?, "checks_at_s"?}: what was given beside the lead.
  prewarm        jsonb not null default '{}',
  shadow_of      integer references sales, -- of a rehearsal: the number of the sale it is a shadow of; null: a sale
  constraint shadow_by_number check ((shadow_of is not null) = is_shadow(sale_number))
);

-- Sales with their plans, as this version reads them.
create view planned_sales as
  select s.*, coalesce(p.timeline, '[]') as timeline, p.terms_at, p.plan_closes_at, coalesce(p.prewarm, '{}') as prewarm, p.shadow_of
    from sales s left join sale_plans p on p.sale_number = s.sale_number;

create table sale_products (
  sale_number        integer not null references sales,
  product_id         text not null references products,
  price              bigint check (price >= 0),                   -- null: the product's own
  quantity           bigint check (quantity >= 0),                -- allotment of this sale; null: all there is
  taken              bigint not null default 0 check (taken >= 0),-- of the allotment, in orders not cancelled
  limit_per_customer integer check (limit_per_customer > 0),
  list_position      integer not null default 0,                  -- in the order in which ops named the products
  -- Most units that all orders with the same identity may have; null: no limit.
  limit_email        integer check (limit_email > 0),
  limit_card         integer check (limit_card > 0),
  limit_address      integer check (limit_address > 0),
  limit_device       integer check (limit_device > 0),
  people_number      bigint not null default 0,                   -- of the last change of what people have, see people_counts
  primary key (sale_number, product_id),
  constraint allotment_not_oversold check (taken <= quantity)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Whether a sale limits cards at all, which is asked of each of its payments.
create index sale_products_limiting_cards on sale_products (sale_number) where limit_card is not null;

-- A sale has one currency, so its products keep theirs until it is closed.
create function keep_currency_of_sales() returns trigger language plpgsql as $$
declare
  holder text;
begin
  select s.sale_id into holder
    from planned_sales s
    cross join lateral (
      select from sale_products sp
        where sp.sale_number = s.sale_number and sp.product_id = new.product_id limit 1
    ) sp
    where s.phase <> 'closed' and (s.plan_closes_at is null or s.plan_closes_at > clock_timestamp())
    order by s.sale_number
    limit 1;
  if found then
    raise exception using
      errcode = 'check_violation',
      constraint = 'currency_of_sales',
      message = format('currency: stays %s while the product is in the sale %s, which is not closed', old.currency, holder);
  end if;
  return new;
end $$;

create trigger products_currency before update of currency on products for each row
  when (old.currency is distinct from new.currency) execute function keep_currency_of_sales();

-- Units of a limited product that a customer has in orders not cancelled.
create table purchases (
  sale_number integer not null,
  product_id  text not null,
  customer_id text not null,
  quantity    integer not null check (quantity >= 0),
  primary key (sale_number, product_id, customer_id)
);

-- The same by who is behind the customer, only ever added to: so many units more, or fewer, for each of many identities,
-- 16 bytes of HMAC each, of an e-mail, card, address or device (see orders.identities) whose first byte is `bucket`.
-- Who counts holds the product's row of sale_products and gives it a new number, which the rows carry: what somebody
-- else has counted since is what has a higher number than theirs.
create sequence people_numbers;

create table people_counts (
  number      bigint not null,
  sale_number integer not null,
  units       integer not null,                  -- given back: below 0
  bucket      smallint not null,
  product_id  text not null,
  identities  bytea not null check (length(identities) % 16 = 0)
);

create index people_counts_bucket on people_counts (sale_number, bucket);
create index people_counts_since on people_counts (sale_number, product_id, number);

-- One by one, for people and the audit.
create view identity_purchases as
  select sale_number, identity, product_id, sum(units)::integer as quantity
    from (
      select sale_number, product_id, units, substring(identities from at for 16) as identity
        from people_counts cross join lateral generate_series(1, length(identities) - 15, 16) as at
    ) as each_one
    group by sale_number, identity, product_id
    having sum(units) <> 0;

create table orders (
  order_id      uuid primary key,
  sale_number   integer not null,
  partition     smallint not null,
  entry_seq     integer not null,          -- with accepted_at the stream entry's id: place in the order of acceptance
  version       smallint not null,         -- number of events so far
  status        order_status not null,
  accepted_at   timestamptz not null,      -- the order store's clock, milliseconds
  updated_at    timestamptz not null,
  total         bigint not null,           -- minor units
  currency      text not null,
  customer_id   text not null,
  reason        text,                      -- why cancelled or refunded
  payment_token text,
  fingerprint   bytea not null,            -- of the accepted body: tells a replay from a conflict
  metadata      jsonb,
  refusal       jsonb,                     -- what it was refused for at its turn: line, product_id; left, or limit and had
  -- Null in all of these costs no byte of a row.
  payment           payment_status,        -- null: not asked yet, or nothing to ask for
  authorised        bigint,                -- minor units held at the provider when it was asked; null: none
  captured          bigint,                -- minor units taken
  refunded          bigint,                -- minor units given back
  payment_reference text,                  -- the provider's own id of the payment
  next_action       jsonb,                 -- the provider's, for the shopper's page, while it is open
  lines_metadata    jsonb,                 -- of the lines, an array as long as they are many
  identities        bytea,                 -- e-mail, card, address, device: a byte for which (1 to 4), 16 of the HMAC
  paid_elsewhere    boolean                -- confirmed by hand, and not paid at the provider; null: no
) with (
  fillfactor = 50,                           -- every order is updated once, by its payment: beside itself, no index
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000
);

-- By sale in order of acceptance: lists, first come first served.
create index orders_by_acceptance on orders (sale_number, partition, accepted_at, entry_seq);
-- A customer's, for ops: a filter for each 8 pages, which is written once, by vacuum, and costs an order nothing, or 400
-- bytes where it comes to lie in a page that is older. What came since the last was written is read whole. Larger ranges
-- have filters that Postgres would compress each time.
create index orders_by_customer_pages on orders
  using brin (customer_id text_bloom_ops (false_positive_rate = 0.002)) with (pages_per_range = 8, autosummarize = off);
-- Orders by why they are as they are. What is confirmed has no reason and costs nothing here.
create index orders_by_reason on orders (sale_number, partition, reason, accepted_at) where reason is not null;

create table order_lines (
  order_id   uuid not null,
  line       smallint not null,
  quantity   integer not null,
  unit_price bigint not null,
  product_id text not null,
  cancelled  smallint,                     -- units taken off before they left; null: none
  shipped    smallint,                     -- units that left, those lost on the way too
  returned   smallint,                     -- of the shipped: units whose money was given back
  replaced   smallint,                     -- units sent again for those lost on the way, beside those in `shipped`
  restocked  smallint,                     -- of the returned: units that are in stock again
  primary key (order_id, line),
  -- A unit is taken off, or leaves, never both.
  constraint units_go_one_way check (
    coalesce(cancelled, 0) + coalesce(shipped, 0) <= quantity and coalesce(returned, 0) <= coalesce(shipped, 0)
    and coalesce(restocked, 0) <= coalesce(returned, 0)
  )
);

-- The hold of a pending order, and the settle shift's list of work. Gone when the order is confirmed or cancelled.
create table reservations (
  order_id      uuid primary key,
  sale_number   integer not null,
  partition     smallint not null,
  attempts      smallint not null default 0,
  due_at        timestamptz not null,      -- next attempt at payment
  expires_at    timestamptz not null,      -- end of the hold
  total         bigint not null,
  currency      text not null,
  payment_token text,
  extended      boolean,                   -- true: the hold was made longer for a shopper who must act, which happens once
  lines_cancelled boolean                  -- true: lines were cancelled while the payment was asked for
) with (
  -- Vacuum comes by number of dead rows, not by share of a table that is empty one minute and full the next; it gives no
  -- pages back at their end, since for that it would lock out everyone else.
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000, vacuum_truncate = off,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

create index reservations_due on reservations (sale_number, partition, due_at, order_id);
-- What the sweep may cancel: its payment was asked for at least once.
create index reservations_expiring on reservations (expires_at) where attempts > 0;

-- Numbers in which orders join the standby and are served.
create sequence standby_turns;

-- Orders that wait for units to come back, a row for each product that one wants; pending without a reservation. A row
-- stays when its order was served, for the audit; it goes with an order that is cancelled while it waits.
create table standby (
  order_id    uuid not null,
  product_id  text not null,
  sale_number integer not null,
  partition   smallint not null,
  entry_seq   integer not null,
  quantity    integer not null,
  accepted_at timestamptz not null,
  joined      bigint not null default nextval('standby_turns'),
  served      bigint, -- null: it waits
  primary key (order_id, product_id)
);

-- The list of each product, in the order of acceptance; and how many wait in a sale.
create index standby_waiting on standby (product_id, accepted_at, entry_seq, partition, order_id) where served is null;
create index standby_by_sale on standby (sale_number, order_id) where served is null;

-- One row a transition, written in its transaction (P5), and one for what else happens to an order; the outbox that the
-- relay reads (P6).
-- (order_id, seq) is the event's stable id. `tx` lets the relay wait for commits that are still open.
create table order_events (
  order_id uuid not null,
  seq      smallint not null,
  status   order_status not null,
  at       timestamptz not null,
  reason   text,
  position bigint generated always as identity,
  tx       xid8 not null default pg_current_xact_id(),
  -- What the event says, where it is no transition.
  kind     text check (kind in ('line_cancelled', 'shipment', 'refund', 'action_required', 'served')),
  lines    jsonb,                          -- units taken off by it before they left: [{line, quantity}]
  primary key (order_id, seq)
);

create index order_events_outbox on order_events (tx, position) where not is_shadow_order(order_id);
-- Of shadows nobody is told; they are walked through for what it costs.
create index order_events_of_shadows on order_events (tx, position) where is_shadow_order(order_id);

-- What is to be done at the payment provider. Written in the transaction that decides it, repeated until done.
create table payment_operations (
  operation_id bigint generated always as identity primary key,
  order_id     uuid not null,
  kind         text not null check (kind in ('capture', 'void', 'refund', 'look_up')),
  amount       bigint check (amount > 0),  -- minor units of a capture or refund
  state        text not null default 'due' check (state in ('due', 'done', 'failed', 'discarded')),
  attempts     integer not null default 0,
  due_at       timestamptz not null default clock_timestamp(),
  created_at   timestamptz not null default clock_timestamp(),
  finished_at  timestamptz,
  refund_id    uuid,                       -- of a refund: the row it carries out
  shipment_id  uuid,                       -- of a capture: the parcel that it is for
  detail       text,                       -- what the provider said last, when it did not do it
  discard_reason text,                     -- why ops gave up what failed for good
  decided_at   timestamptz,                -- of a void of an order that still waited: from then on it may be on its way
  constraint amount_where_money_moves check ((amount is not null) = (kind in ('capture', 'refund'))),
  constraint finished_when_not_due check ((finished_at is null) = (state = 'due'))
) with (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

create index payment_operations_due on payment_operations (due_at, operation_id) where state = 'due';
create index payment_operations_by_order on payment_operations (order_id);
-- Asked for twice, done once.
create unique index payment_operations_once on payment_operations (order_id, kind)
  where state = 'due' and kind in ('void', 'look_up');
-- Failed for good: a person must look.
create index payment_operations_failed on payment_operations (operation_id) where state = 'failed';
-- Dead letters of payments.
create index payment_operations_given_up on payment_operations (operation_id) where state in ('failed', 'discarded');

-- The books of the simulated provider: what cannot be told from the payment token alone. Nobody else reads them.
create table simulated_payments (
  order_id   uuid primary key,
  status     text not null check (status in ('coming', 'requires_action', 'authorised', 'captured', 'voided', 'declined')),
  total      bigint not null,              -- minor units that were asked for
  currency   text not null,
  capture    boolean not null,             -- whether it is taken at once when it succeeds
  captured   bigint not null default 0,
  refunded   bigint not null default 0,
  card       text,                         -- the card's fingerprint
  turns_at   timestamptz,                  -- when what is coming, or the shopper's action, ends by itself; null: never
  succeeds   boolean not null default true, -- what it becomes then
  keys       text[] not null default '{}', -- of what was done once, and is not done again
  created_at timestamptz not null default clock_timestamp(),
  constraint not_more_given_back_than_taken check (refunded <= captured and captured <= total)
) with (fillfactor = 70);

create index simulated_payments_by_time on simulated_payments (created_at);

-- Parcels.
create table shipments (
  shipment_id uuid primary key,
  order_id    uuid not null,
  seq         smallint not null,           -- of the order's event that tells of it
  carrier     text check (length(carrier) between 1 and 100),
  tracking    text check (length(tracking) between 1 and 200),
  status      text not null default 'shipped' check (status in ('shipped', 'delivered', 'lost')),
  at          timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  status_seq  smallint                     -- of the event by which its status became what it is; null: by which it was sent
);

create index shipments_by_order on shipments (order_id, seq);

create table shipment_lines (
  shipment_id uuid not null references shipments,
  line        smallint not null,
  quantity    smallint not null check (quantity > 0),
  replaces    smallint not null default 0 check (replaces between 0 and quantity), -- of these: units sent again for lost ones
  primary key (shipment_id, line)
);

-- Money given back, wholly or in part.
create table refunds (
  refund_id       uuid primary key,
  order_id        uuid not null,
  seq             smallint not null,        -- of the order's event that tells of it
  amount          bigint not null check (amount > 0), -- minor units
  lines           jsonb,                    -- [{line, quantity, restock}]; null: an amount for no line in particular
  reason          text not null,
  status          text not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
  idempotency_key text,                     -- of the call that asked for it
  fingerprint     bytea,                    -- of its body
  at              timestamptz not null default clock_timestamp(),
  unique (order_id, idempotency_key)
);

create index refunds_by_order on refunds (order_id, seq);

-- How far each relay has published the outbox.
create table relay_cursors (
  relay    text primary key,
  tx       xid8 not null,
  position bigint not null
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Leases of shifts. `fence` grows with every new holder; a batch of an old one finds no row.
create table shifts (
  name             text primary key,
  fence            bigint not null,
  holder           text not null,          -- empty: given back
  lease_expires_at timestamptz not null,
  batch_max        integer check (batch_max > 0), -- how much it takes at a time; null: as much as fits
  payments_per_s   real,                   -- of a settle shift: what its gateway takes; null: not known, or at once
  -- Of a settle or money shift: why it asks the provider for nothing now, and when it asks again.
  payments_paused  text check (payments_paused in ('down', 'rate_limited')),
  payments_paused_until timestamptz
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- How far each partition's stream is drained; moves in the batch's own transaction.
create table stream_cursors (
  sale_number integer not null,
  partition   smallint not null,
  entry_id    text not null default '0-0',
  drained     bigint not null default 0,   -- entries worked off: orders made, dead letters, and
  repeated    bigint not null default 0,   -- entries of orders that were there already
  primary key (sale_number, partition)
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Accepted entries that could not become orders. Nothing accepted is dropped: they wait here for a person.
create table dead_letters (
  dead_letter_id bigint generated always as identity primary key,
  sale_number    integer not null,
  partition      smallint not null,
  entry_id       text not null,
  order_id       uuid,                     -- when the entry could be read that far
  payload        bytea not null,
  reason         text not null,
  detail         text not null,
  created_at     timestamptz not null default now(),
  retried_at     timestamptz,
  customer_id    text,                     -- when the entry could be read that far
  failures       integer not null default 1, -- how often it could not become an order
  failed_at      timestamptz not null default now(), -- the last time
  discarded_at   timestamptz,              -- when ops gave it up
  discard_reason text,
  unique (sale_number, partition, entry_id)
);

create index dead_letters_by_order on dead_letters (order_id);
create index dead_letters_by_customer on dead_letters (customer_id);
create index dead_letters_by_payload on dead_letters (md5(payload));

-- Dead letters with what became of each: an order that exists by now was made by a retry, or was sent again.
create view dead_letter_states as
  select d.*,
         (select sale_id from sales s where s.sale_number = d.sale_number) as sale_id,
         case when d.discarded_at is not null then 'discarded'
              when d.reason <> 'idempotency_conflict'
                and (select true from orders o where o.order_id = d.order_id limit 1) then 'resolved'
              when d.retried_at > d.failed_at then 'retried'
              else 'open' end as state
    from dead_letters d;

-- What ops changed: one row a call that changed something, in its transaction.
create table ops_log (
  entry_id bigint generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  action   text not null,
  target   text not null,
  change   jsonb not null,
  operator text not null default '', -- as whoever holds the ops key names itself; empty: it does not
  key_name text                      -- name of the key that the call was made with; null: none, as by a command
);

create index ops_log_by_target on ops_log (target, entry_id);

create type ops_role as enum (
  'view',    -- reads everything, changes nothing
  'operate', -- sales, rooms, products, orders
  'admin'    -- keys too, and what cannot be undone
);

-- Posts of orders, minute by minute, as the intakes counted them: added up in the room's store, copied by the scheduler.
create table sale_minutes (
  sale_number integer not null references sales on delete cascade,
  minute      timestamptz not null check (minute = date_trunc('minute', minute, 'UTC')), -- its beginning
  offered     bigint not null default 0 check (offered >= 0),   -- posts of orders, also those refused or sent again
  admitted    bigint not null default 0 check (admitted >= 0),  -- admissions given
  joined      bigint not null default 0 check (joined >= 0),    -- places taken in the room
  refused     jsonb not null default '{}',                      -- of the offered: {code: how many}
  primary key (sale_number, minute)
);

-- Keys of ops beside the setting's OPS_KEY.
create table ops_keys (
  key_id     bigint generated always as identity primary key,
  name       text not null check (length(name) between 1 and 100),
  role       ops_role not null,
  digest     bytea not null check (length(digest) = 32), -- SHA-256 of the key, which is kept nowhere
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,                              -- name of the key that it was made with
  expires_at timestamptz,
  revoked_at timestamptz,
  totp_salt  bytea check (length(totp_salt) = 20),       -- the second factor's secret is made with it; null: has none
  totp_confirmed_at timestamptz,                         -- from then on signing in takes a code
  totp_last_step    bigint not null default 0,           -- codes up to it were used, or came too late
  constraint totp_has_salt check (totp_confirmed_at is null or totp_salt is not null)
);

create unique index ops_keys_by_digest on ops_keys (digest);
-- Whose a change was can be told by the name: no two keys that are good have the same.
create unique index ops_keys_by_name on ops_keys (name) where revoked_at is null;

-- Sessions of the page of ops that were signed out before their end; a row goes once the session would have ended.
create table ops_ended_sessions (
  session_id bytea primary key check (length(session_id) = 16),
  ends_at    timestamptz not null
);

create index ops_ended_sessions_by_end on ops_ended_sessions (ends_at);

-- Where events are delivered over HTTP.
create table webhooks (
  webhook_id    bigint generated always as identity primary key,
  url           text not null check (url ~ '^https?://'),
  events        text[] check (cardinality(events) > 0), -- types that it wants; null: all
  description   text not null default '',
  secret        text not null,                          -- signs; empty once the endpoint is deleted
  former_secret text,                                   -- signs too, until former_until
  former_until  timestamptz,
  state         text not null default 'active' check (state in (
    'active',   -- gets deliveries
    'paused',   -- failed too often in a row: deliveries wait; by the shift, until ops resume it
    'disabled', -- said that it is gone (410): gets nothing new; by the shift, until ops resume it
    'deleted'   -- by ops; the row goes when its deliveries are gone
  )),
  state_reason  text,
  failures      integer not null default 0,             -- failed attempts in a row
  retry_at      timestamptz,                            -- nothing is sent before; null: at once
  events_from   timestamptz not null default clock_timestamp(), -- events before come by a replay alone
  created_at    timestamptz not null default clock_timestamp(),
  constraint former_secret_ends check ((former_secret is null) = (former_until is null))
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- One row an event and endpoint: the queue, and the log. (webhook_id, event_id) makes an event one delivery.
create table webhook_deliveries (
  delivery_id    bigint generated always as identity primary key,
  webhook_id     bigint not null,
  event_id       text not null,              -- what the receiver knows it by, the same at every attempt
  type           text not null,
  subject        text not null,              -- whose events keep their order
  position       bigint not null,            -- within the subject
  order_id       uuid,                       -- of an order's event
  at             timestamptz not null,       -- of the event
  state          text not null default 'due' check (state in (
    'due',       -- to be sent at due_at, unless an earlier one of its subject is open
    'waiting',   -- an earlier one of its subject is open; the shift makes it due
    'delivered', -- the receiver took it
    'dead',      -- given up after too long: a dead letter, until a person retries or discards it
    'discarded'  -- by ops; or a test that failed
  )),
  due_at         timestamptz not null default clock_timestamp(), -- a test is due before all else: -infinity
  attempts       integer not null default 0,
  first_tried_at timestamptz,
  tried_at       timestamptz,
  finished_at    timestamptz,                -- when it was delivered, given up or discarded
  died_at        timestamptz,                -- when it became a dead letter
  status_code    smallint,                   -- of the last answer; null: there was none
  error          text,                       -- of the last attempt, if it failed
  body           text,                       -- as it was sent, once an attempt has failed: it is sent so again
  discard_reason text,
  created_at     timestamptz not null default clock_timestamp(),
  unique (webhook_id, event_id),
  constraint finished_when_not_open check ((finished_at is null) = (state in ('due', 'waiting')))
) with (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, vacuum_truncate = off,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

create index webhook_deliveries_due on webhook_deliveries (webhook_id, due_at, delivery_id) where state = 'due';
create index webhook_deliveries_open on webhook_deliveries (webhook_id, subject, position)
  where state in ('due', 'waiting');
create index webhook_deliveries_log on webhook_deliveries (webhook_id, delivery_id);
create index webhook_deliveries_dead on webhook_deliveries (delivery_id) where died_at is not null;
create index webhook_deliveries_given_up on webhook_deliveries (webhook_id) where state = 'dead';
create index webhook_deliveries_ended on webhook_deliveries (finished_at) where state in ('delivered', 'discarded');

-- What happens beside orders and is told: an outbox like order_events. Whoever sees it first writes it; the event's id
-- makes it one.
create table world_events (
  event_id text primary key,
  type     text not null,
  subject  text not null,
  data     jsonb not null,
  at       timestamptz not null default clock_timestamp(),
  position bigint generated always as identity,
  tx       xid8 not null default pg_current_xact_id()
);

create index world_events_outbox on world_events (tx, position);

-- Events that an endpoint gets once more, as they are walked through.
create table webhook_replays (
  replay_id  bigint generated always as identity primary key,
  webhook_id bigint not null,
  since      timestamptz not null,
  until      timestamptz not null,
  order_id   uuid,                           -- of this order alone
  source     text not null check (source in ('orders', 'world')),
  tx         xid8 not null default '0',      -- as far as it was walked
  position   bigint not null default 0
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Prices for a time: from starts_at until before ends_at this price holds in place of the product's own.
-- Evaluated when a product is read, never by a job; where windows overlap, the one that began last holds.
create table product_prices (
  product_id text not null references products,
  starts_at  timestamptz not null,
  ends_at    timestamptz,                        -- null: until another window begins
  price      bigint not null check (price >= 0), -- minor units of the product's currency
  primary key (product_id, starts_at),
  constraint price_window check (ends_at > starts_at),
  constraint price_times check (
    starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
  )
);

-- One row for each new version of a product, written by triggers in the transaction of the change, whoever makes it.
-- The outbox that caches, CDNs and search indexes are kept right from. `tx` as in order_events.
create table product_changes (
  product_id      text not null,
  version         bigint not null,
  category        text not null,
  former_category text,                          -- when the product moved
  at              timestamptz not null default clock_timestamp(),
  position        bigint generated always as identity,
  tx              xid8 not null default pg_current_xact_id(),
  primary key (tx, position)
) with (vacuum_truncate = off);

create index product_changes_recent on product_changes (at);

create function note_new_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category)
    select product_id, version, category from new_rows where not shadow;
  return null;
end $$;

create function note_changed_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category, former_category)
    select n.product_id, n.version, n.category, nullif(o.category, n.category)
      from new_rows n join old_rows o using (product_id)
      where not n.shadow;
  return null;
end $$;

-- A new price window is a new version of its product.
create function note_changed_prices() returns trigger language plpgsql as $$
begin
  update products set version = version + 1, updated_at = clock_timestamp()
    where product_id in (select product_id from changed_rows);
  return null;
end $$;

create trigger products_added after insert on products
  referencing new table as new_rows for each statement execute function note_new_products();
create trigger products_changed after update on products
  referencing old table as old_rows new table as new_rows for each statement execute function note_changed_products();
create trigger prices_added after insert on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_removed after delete on product_prices
  referencing old table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_changed after update on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();

-- What a product of a sale that is not closed cost before ops changed it: an order accepted before `until` and drained
-- later costs that (P11). Written by triggers, once a transaction, whoever changes a price.
create table former_prices (
  sale_number integer not null,
  product_id  text not null,
  until       timestamptz not null default clock_timestamp(),
  sale_price  bigint,                            -- null: the product's own held
  own_price   bigint not null,
  windows     jsonb,                             -- of product_prices: [starts_at, ends_at, price], times in microseconds
  tx          xid8 not null default pg_current_xact_id()
);

create index former_prices_of on former_prices (sale_number, product_id, until);
create index former_prices_until on former_prices (until);

create function keep_price_of_product() returns trigger language plpgsql as $$
begin
  perform keep_former_prices(old.product_id, old.price);
  return new;
end $$;

create function keep_price_of_sale() returns trigger language plpgsql as $$
begin
  insert into former_prices (sale_number, product_id, sale_price, own_price, windows)
    select f.sale_number, f.product_id, old.price, f.own_price, f.windows
      from (select old.sale_number, p.product_id, p.price as own_price,
                   (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                       (extract(epoch from ends_at) * 1000000)::bigint, r.price))
                      from product_prices r where r.product_id = p.product_id) as windows
              from products p where p.product_id = old.product_id) f
      where not exists (
        select from former_prices g
          where g.sale_number = f.sale_number and g.product_id = f.product_id and g.tx = pg_current_xact_id()
      );
  return new;
end $$;

create function keep_price_windows() returns trigger language plpgsql as $$
begin
  perform keep_former_prices(p.product_id, p.price) from products p
    where p.product_id = coalesce(new.product_id, old.product_id);
  return coalesce(new, old);
end $$;

create trigger products_price before update of price on products for each row
  when (old.price is distinct from new.price) execute function keep_price_of_product();
create trigger sale_products_price before update of price on sale_products for each row
  when (old.price is distinct from new.price) execute function keep_price_of_sale();
create trigger product_prices_kept before insert or update or delete on product_prices for each row
  execute function keep_price_windows();

-- What the clock asks for ahead of a start, each once: rows decide, whoever and however many look. A start that is moved
-- has steps of its own.
create table prewarm_steps (
  sale_number integer not null,
  starts_at   timestamptz not null,              -- of the sale, as it stood
  step        text not null,                     -- warm, check:600, refill; ahead, scale_out, scale_back
  taken_until timestamptz not null,              -- whoever took it has until then; after that another may
  attempts    integer not null default 1,
  done_at     timestamptz,                       -- null: somebody is at it, or died
  result      jsonb,
  primary key (sale_number, starts_at, step)
);

-- Go or no-go, each time somebody looked.
create table prewarm_reports (
  report_id   bigint generated always as identity primary key,
  sale_number integer not null,
  at          timestamptz not null default clock_timestamp(),
  occasion    text not null,                     -- the step, or ops
  go          boolean not null,
  checks      jsonb not null
);
create index prewarm_reports_by_sale on prewarm_reports (sale_number, report_id);

-- How far it is scaled out, of each adapter: before is what it was without any sale's wish.
create table scaling (
  adapter     text primary key,
  before      jsonb,                             -- null: not scaled out
  wanted      jsonb,                             -- the largest of the sales' wishes that was put in force
  sales       integer[] not null default '{}',   -- whose wishes these are
  taken_until timestamptz not null default '-infinity', -- whoever puts a wish in force has until then
  failures    integer not null default 0,        -- in a row
  error       text,
  changed_at  timestamptz not null default clock_timestamp()
);

-- How fast a sale's drains worked while there was always more for them to do: what they can do.
create table drain_paces (
  sale_number integer primary key,
  drained     bigint not null,
  busy_s      double precision not null,
  measured_at timestamptz not null default clock_timestamp()
);

-- When units of a product ran out and when there were some again: of its stock, or of a sale's allotment. Written by
-- triggers in the transaction of whoever moves units, a row each time that it turns; no row where nothing turns.
create table shelf_turns (
  product_id  text not null,
  sale_number integer,                           -- whose allotment; null: the stock of all sales
  turn        bigint generated always as identity,
  at          timestamptz not null default clock_timestamp(),
  sold_out    boolean not null,
  tx          xid8 not null default pg_current_xact_id() -- what turns to and fro in one transaction, nobody saw
);

create index shelf_turns_of on shelf_turns (product_id, turn);

create function note_turn_of_stock() returns trigger language plpgsql as $$
begin
  insert into shelf_turns (product_id, sold_out) values (new.product_id, new.stock <= 0);
  return null;
end $$;

create function note_turn_of_allotment() returns trigger language plpgsql as $$
begin
  insert into shelf_turns (product_id, sale_number, sold_out)
    values (new.product_id, new.sale_number, coalesce(new.taken >= new.quantity, false));
  return null;
end $$;

create trigger stock_turns after update of stock on stock for each row
  when ((old.stock <= 0) <> (new.stock <= 0)) execute function note_turn_of_stock();
create trigger allotment_turns after update of taken, quantity on sale_products for each row
  when (coalesce(old.taken >= old.quantity, false) <> coalesce(new.taken >= new.quantity, false))
  execute function note_turn_of_allotment();

-- Alerts that fired, for whoever looks back: written by whoever judges them, a row from its beginning to its end.
create table alert_spells (
  spell_id  bigint generated always as identity primary key,
  name      text not null,
  severity  text not null,
  summary   text not null,
  began_at  timestamptz not null,
  seen_at   timestamptz not null,                -- last seen firing
  ended_at  timestamptz,                         -- null: it fires, or who judged it has died
  constraint spell_ends check (ended_at >= began_at)
);

-- An alert that several processes see at once is one.
create unique index alert_spells_firing on alert_spells (name) where ended_at is null;
create index alert_spells_by_time on alert_spells (began_at);

-- The report of a sale that is over. `over_at` is which end it tells of: a sale that is made to go on has another later.
create table sale_reports (
  sale_number integer primary key references sales on delete cascade,
  over_at     timestamptz not null,
  settled     boolean not null,                  -- nothing of the sale was under way any more
  written_at  timestamptz not null default clock_timestamp(),
  report      jsonb not null
);

-- Called by the triggers of prices, see `former_prices`.
create function keep_former_prices(product text, own bigint) returns void language sql as $$
  insert into former_prices (sale_number, product_id, sale_price, own_price, windows)
  select s.sale_number, product, sp.price, own,
         (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                             (extract(epoch from ends_at) * 1000000)::bigint, r.price))
            from product_prices r where r.product_id = product)
    from sales s
    cross join lateral (
      select price from sale_products a where a.sale_number = s.sale_number and a.product_id = product limit 1
    ) sp
    -- Until nothing of it can wait any more: a week and a day, or longer if its report says that something does.
    where (s.phase <> 'closed' or s.closed_at > clock_timestamp() - interval '8 days'
           or exists (select from sale_reports r where r.sale_number = s.sale_number and not r.settled))
      and not exists (
        select from former_prices f
          where f.sale_number = s.sale_number and f.product_id = product and f.tx = pg_current_xact_id()
      )
$$;

-- What was rehearsed, and with which result. The shadow of one whose lease has ended is removed.
create table rehearsals (
  rehearsal_id     bigint generated always as identity primary key,
  sale_number      integer not null references sales,   -- of the sale itself
  shadow_number    integer not null check (is_shadow(shadow_number)),
  shadow_id        text not null,                       -- the shadow's sale_id
  partitions       smallint not null,                   -- of the shadow, also when its row is gone
  started_at       timestamptz not null default clock_timestamp(),
  lease_expires_at timestamptz not null,
  closed_at        timestamptz,                         -- when the shadow was closed: what it left is removed from then on
  remove_at        timestamptz,                         -- not before: whoever has a copy of the shadow has dropped it then
  removed_at       timestamptz,                         -- when no trace was left
  finished_at      timestamptz,                         -- when its result was handed in; null: it was stopped, or runs
  result           jsonb,
  constraint removed_when_closed check (removed_at is null or closed_at is not null),
  constraint finished_with_result check ((finished_at is null) = (result is null))
);

create index rehearsals_by_sale on rehearsals (sale_number, rehearsal_id);
create index rehearsals_standing on rehearsals (lease_expires_at) where removed_at is null;

-- What is written down while sales go on, for their reports: when their plans were seen in force, and who was started.

create table timeline_marks (
  sale_number integer not null references sales,
  at          timestamptz not null,                     -- when an entry of the sale's timeline applies
  seen_at     timestamptz not null default clock_timestamp(), -- when a scheduler first saw it in force
  primary key (sale_number, at)
);

create table process_starts (
  role     text not null,                               -- intake, worker or scheduler
  name     text not null,                               -- as it calls itself: host and process
  began_at timestamptz not null,
  primary key (role, name, began_at)
);

create index process_starts_began on process_starts (began_at);

-- On which timelines of Postgres this database was written to: each promotion of a standby begins a new one.
create table postgres_timelines (
  timeline integer primary key check (timeline > 0),
  seen_at  timestamptz not null default clock_timestamp()
);

-- Losses of the order store: a server that took over, or was restored, without the last that was accepted.
create table store_losses (
  loss_id     bigint generated always as identity primary key,
  at          timestamptz not null default clock_timestamp(), -- when it was found
  sale_number integer not null references sales,
  partition   smallint not null,
  cursor_id   text not null,             -- up to which entry the partition was drained
  store_id    text not null,             -- up to which the store knew that it was; reading goes on from there
  last_id     text not null,             -- the last id that the store had given
  missing     bigint not null,           -- entries drained before that the store does not have any more: they are orders here
  strays      bigint not null,           -- entries accepted since, with ids below the cursor; drained like any other
  in_use      boolean not null,          -- it was drained within the hour before, so that accepted orders may have waited
  witnesses   integer not null default 0, -- intakes that have looked for every order they accepted behind the cursor
  found_by           text not null default 'drain' check (found_by in ('drain', 'intake')),
  is_listed          boolean, -- somebody who was asked can have accepted the last drained entry; null: of the version before
  acknowledged_at    timestamptz, -- since when ops know of it; it counts in the audit for ever
  acknowledged_by    text,
  acknowledge_reason text,
  constraint store_losses_acknowledged check ((acknowledged_at is null) = (acknowledge_reason is null))
);

-- Orders that were answered 202 and that neither store had when an intake looked. One that is sent again is an order.
create table lost_orders (
  order_id    uuid primary key,
  sale_number integer not null references sales,
  partition   smallint not null,
  entry_id    text not null,
  at          timestamptz not null default clock_timestamp(),
  loss_id     bigint references store_losses
);

create index lost_orders_loss on lost_orders (loss_id);

-- Each process of the intake, as it last said of itself what it accepted: who is gone cannot be asked any more.
create table intake_witnesses (
  witness_id   uuid primary key,
  began_at     timestamptz not null default clock_timestamp(),
  seen_at      timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,              -- it ended by itself, having said all
  settled_at   timestamptz,              -- all that it can have accepted is in Postgres, or what may be lost was told
  durability   text not null,            -- what an order had to reach there before its 202
  histories    text[] not null,          -- replication ids of the order store's primaries when it last looked
  sale_numbers integer[] not null,       -- of the latest order that it accepted in each partition, and so the three below
  partitions   smallint[] not null,
  entry_ids    text[] not null,
  order_ids    uuid[] not null
);

create index intake_witnesses_open on intake_witnesses (seen_at) where settled_at is null;

-- Whom a loss was asked of: every intake that may have accepted an order behind the cursor.
create table loss_witnesses (
  loss_id    bigint not null references store_losses on delete cascade,
  witness_id uuid not null,
  said_at    timestamptz,                -- when it had looked for all of these orders; null: it has not, or cannot
  primary key (loss_id, witness_id)
);

-- Says whether nobody knows what a loss took: one that may have accepted orders there has not looked for them, or none is known.
create function is_unwitnessed(loss bigint, in_use boolean, is_listed boolean, witnesses integer)
returns boolean language sql stable as $$
  select in_use and case
    when is_listed is null then witnesses = 0
    when not is_listed then true
    else exists (select from loss_witnesses w where w.loss_id = loss and w.said_at is null)
  end
$$;

-- Deletes up to `most` rows of a table that are a shadow's, by the column that says whose they are; returns how many.
create function remove_shadow_rows(place text, by text, shadow integer, most bigint) returns bigint language plpgsql as $$
declare
  whose text := case by
    when 'order_id' then '%2$I >= $2 and %2$I < $3'
    when 'shipment_id' then '%2$I in (select s.shipment_id from shipments s where s.order_id >= $2 and s.order_id < $3)'
    when 'sale_number' then '%2$I = $1'
    when 'sale_id' then '%2$I = (select r.shadow_id from rehearsals r where r.shadow_number = $1)'
    when 'product_id' then '%2$I in (select p.product_id from products p where p.shadow '
                           'and starts_with(p.product_id, ''shadow~'' || $1 || ''~''))'
  end;
  removed bigint;
begin
  if not is_shadow(shadow) then
    raise exception 'sale % is no shadow', shadow;
  end if;
  execute format('delete from %1$I where ctid = any(array(select ctid from %1$I where ' || whose || ' limit $4))', place, by)
    using shadow, (lpad(to_hex(shadow), 6, '0') || repeat('0', 26))::uuid,
          (lpad(to_hex(shadow), 6, '0') || repeat('f', 26))::uuid, most;
  get diagnostics removed = row_count;
  return removed;
end $$;

-- The tables without any shadow, each as a view of its name in the schema `real`: what is listed, searched, audited and
-- reported reads these and cannot show one. Made anew after every migration, so that new tables and columns are in them.
create function make_real_views() returns void language plpgsql as $$
declare
  place record;
begin
  create schema if not exists real;
  for place in
    select c.relname as name,
           case when bool_or(a.attname = 'shadow') then 'not t.shadow'
                when bool_or(a.attname = 'order_id' and a.attnotnull) then 'not is_shadow_order(t.order_id)'
                when bool_or(a.attname = 'sale_number') then 'not coalesce(is_shadow(t.sale_number), false)'
                else 'not exists (select from public.products p where p.product_id = t.product_id and p.shadow)'
           end as rule
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relname <> 'rehearsals'
        and (c.relkind = 'r' or c.relname in ('dead_letter_states', 'planned_sales', 'identity_purchases'))
        and a.attname in ('shadow', 'order_id', 'sale_number', 'product_id')
      group by c.oid, c.relname
      having bool_or(a.attname in ('shadow', 'sale_number', 'product_id') or a.attnotnull)
      order by c.relname
  loop
    execute format('create or replace view real.%1$I as select * from public.%1$I t where %2$s', place.name, place.rule);
  end loop;
end $$;

select make_real_views();
