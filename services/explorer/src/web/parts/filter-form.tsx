import { ENTRY_KINDS } from "../query/entry-kinds.ts";
import {
  FILTER_NAMES,
  type FilterName,
  NO_SEARCH,
  type SearchAddress,
  writeSearchAddress,
} from "../query/search-address.ts";
import { useNavigation } from "../route.ts";
import { Text } from "./text.tsx";

const LABELS: Readonly<Record<FilterName, string>> = {
  kind: "Kind",
  issuer: "Issuer",
  san: "Identity, exactly",
  sourceRepositoryUri: "Source repository",
  predicateType: "Predicate type",
  log: "Log",
  from: "From (UTC)",
  to: "To and with (UTC)",
};

export function FilterForm({ search }: { readonly search: SearchAddress }) {
  const { go } = useNavigation();
  const active = Object.keys(search.filters).length;
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const filters = FILTER_NAMES.flatMap((name) => {
      const value = form.get(name);
      return typeof value === "string" && value.trim() !== "" ? [[name, [value.trim()]] as const] : [];
    });
    const order = form.get("order") === "oldest" ? "oldest" : "newest";
    go(writeSearchAddress({ ...search, filters: Object.fromEntries(filters), order }));
  };
  return (
    <>
      <details>
        <summary>
          Filters
          {active > 0 && (
            <span class="soft">
              : <Text value={told(search)} />
            </span>
          )}
        </summary>
        <form onSubmit={apply} class="search-form" key={JSON.stringify(search)}>
          <div class="filters">
            {FILTER_NAMES.map((name) => (
              <Field key={name} name={name} value={search.filters[name]?.[0] ?? ""} />
            ))}
            <label class="field">
              Order
              <select name="order" value={search.order}>
                <option value="newest">newest first</option>
                <option value="oldest">oldest first</option>
              </select>
            </label>
          </div>
          <div class="actions">
            <button type="submit" class="button">
              Apply
            </button>
          </div>
        </form>
      </details>
      {active > 0 && (
        <p class="small">
          <a href={writeSearchAddress({ ...NO_SEARCH, text: search.text, meaning: search.meaning })}>Without filters</a>
        </p>
      )}
    </>
  );
}

/** Closed, the form would hide what narrows the answer; open, on a phone it would hide the answer. */
function told({ filters }: SearchAddress): string {
  return FILTER_NAMES.flatMap((name) => {
    const values = filters[name] ?? [];
    return values.length === 0 ? [] : [`${LABELS[name]} ${values.join(" or ")}`];
  }).join(" · ");
}

const CHOICES: Readonly<Partial<Record<FilterName, readonly string[]>>> = {
  kind: ENTRY_KINDS,
  log: ["rekor", "rekor-v2"],
};

function Field({ name, value }: { readonly name: FilterName; readonly value: string }) {
  const choices = CHOICES[name];
  const isDay = name === "from" || name === "to";
  return (
    <label class="field">
      {LABELS[name]}
      {choices === undefined && isDay && <input name={name} type="date" defaultValue={value} />}
      {choices === undefined && !isDay && (
        <input name={name} type="text" defaultValue={value} autocomplete="off" spellcheck={false} />
      )}
      {choices !== undefined && (
        <select name={name} value={value}>
          <option value="">any</option>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      )}
    </label>
  );
}
