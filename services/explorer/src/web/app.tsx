import { Component, type ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CheckPage } from "./pages/check-page.tsx";
import { EntryPage } from "./pages/entry-page.tsx";
import { HealthPage } from "./pages/health-page.tsx";
import { HomePage } from "./pages/home-page.tsx";
import { IdentityPage } from "./pages/identity-page.tsx";
import { IssuancePage } from "./pages/issuance-page.tsx";
import { KeysPage } from "./pages/keys-page.tsx";
import { LogPage } from "./pages/log-page.tsx";
import { LogsPage } from "./pages/logs-page.tsx";
import { SearchPage } from "./pages/search-page.tsx";
import { SignedOutPage } from "./pages/session-pages.tsx";
import { SignPage } from "./pages/sign-page.tsx";
import { Lead } from "./parts/card.tsx";
import { DropAnywhere } from "./parts/drop-zone.tsx";
import { Shell } from "./parts/shell.tsx";
import { type Navigation, NavigationContext, type Route, routeOf } from "./route.ts";

export function App() {
  const [url, setUrl] = useState(() => new URL(location.href));
  // A bundle that is dropped on the page of another one is a page of its own, though the address is the same.
  const [drops, setDrops] = useState(0);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);

  useEffect(() => {
    const follow = () => setUrl(new URL(location.href));
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);

  // A screen reader hears where it is: the new page's heading, as after a load. Also of another search: what had the
  // focus is gone with the page before.
  useEffect(() => {
    if (!isFirst.current) main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [url.href]);

  const navigation = useMemo<Navigation>(
    () => ({
      url,
      go: (path, { replace = false } = {}) => {
        const next = new URL(path, location.origin);
        if (replace) history.replaceState(null, "", next);
        else history.pushState(null, "", next);
        if (next.pathname !== url.pathname) scrollTo(0, 0);
        setUrl(next);
      },
    }),
    [url],
  );

  const route = routeOf(url);
  return (
    <NavigationContext.Provider value={navigation}>
      <div onClick={(event) => followLink(event, navigation)}>
        <Shell page={route.page} main={main}>
          <DropAnywhere
            isCheck={route.page === "check"}
            onPath={(path) => (navigation.go(path), setDrops(drops + 1))}
          />
          <Unbroken key={`${url.href} ${drops}`}>{pageOf(route)}</Unbroken>
        </Shell>
      </div>
    </NavigationContext.Provider>
  );
}

function pageOf(route: Route) {
  switch (route.page) {
    case "home":
      return <HomePage />;
    case "search":
      return <SearchPage search={route.search} />;
    case "entry":
      return <EntryPage log={route.log} id={route.id} />;
    case "identity":
      return <IdentityPage san={route.san} issuer={route.issuer} />;
    case "logs":
      return <LogsPage />;
    case "log":
      return <LogPage name={route.name} />;
    case "issuance":
      return <IssuancePage serial={route.serial} />;
    case "health":
      return <HealthPage />;
    case "sign":
      return <SignPage />;
    case "check":
      return <CheckPage />;
    case "keys":
      return <KeysPage />;
    case "signed-out":
      return <SignedOutPage />;
    default:
      return <Lead title="There is no such page">The address is not one of this explorer's.</Lead>;
  }
}

const SERVER_PATHS = /^\/(api|auth|trust|tuf|idp|ctlog|assets|checkpoint|tile)(\/|$)/;

/** Links between pages change the address without a load; everything that a browser does with links still works. */
function followLink(event: MouseEvent, { go }: Navigation): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || link.target !== "" || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || SERVER_PATHS.test(link.pathname) || link.hash !== "") return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** A page that breaks says so in its place; the rest stays usable. */
class Unbroken extends Component<{ children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };

  static override getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return <Lead title="This page could not be shown">What the server answered could not be made into a page.</Lead>;
  }
}
