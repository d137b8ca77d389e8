-- One rule for what is indexed and what is asked for, and names made of words that do not count. The words of every
-- product are made anew and their indexes built; docs/operations.md says how long nobody reads products meanwhile.

drop index products_search, products_by_brand, products_by_category_name, products_name_trigrams;
alter table products drop column search;
drop function search_vector, search_models, search_words;

-- Accents go when a text is folded, in every script.
alter text search configuration catalogue_words alter mapping for hword, hword_part, word with english_stem;
alter text search configuration catalogue_exact alter mapping for hword, hword_part, word with simple;

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
create function search_kinds(category text) returns text language sql immutable strict parallel safe as $$
  select coalesce(string_agg(substring(rtrim(search_words(part)) from '[^ ]+$'), ' '), '')
    from regexp_split_to_table(substring(category from '[^>/|]*$'), '[&,;+]|\yand\y') as part
$$;

-- A folded name up to what the thing is for or comes with.
create function search_head(name text) returns text language sql immutable strict parallel safe as $$
  select coalesce(substring(name from '^(.+?)\y(?:for|with|without|incl|including)\y'), name)
$$;

-- A: the name up to what it is for or comes with, the product's id, model numbers; B: brand and category;
-- C: the rest of the name and the description; D: attributes. Unstemmed words of name, brand and category stand without
-- a place: found, by the beginning of a word too and where no word counts (The Who), they count for little. What the
-- category ends with stands there with a sign, =camera: that is what the thing is.
create function search_vector(product_id text, name text, brand text, category text, description text, attributes jsonb)
returns tsvector language sql immutable parallel safe as $$
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
    ) said
$$;

alter table products add column search tsvector not null generated always as (
  search_vector(product_id, name, brand, category, description, attributes)
) stored;

create index products_search on products using gin (search) where active;
create index products_by_brand on products (search_fold(brand), brand) where active;
create index products_by_category_name on products (search_fold(category), category) where active;
create index products_name_trigrams on products using gin (search_fold(name) gin_trgm_ops) where active;
