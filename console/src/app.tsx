import { Center, Loader } from "@mantine/core";
import { type ComponentType, lazy, type LazyExoticComponent, Suspense, useEffect, useState } from "react";
import { Route, Router, Switch } from "wouter";
import { asProblem, MeContext, type Me, type Problem } from "./api";
import { signedOut } from "./api/client";
import { loadSession } from "./api/signin";
import { useHashPath } from "./location";
import { Shell } from "./shell";
import { Boundary, ConfirmProvider, NoPage, ProblemNote } from "./ui";

type Page = LazyExoticComponent<ComponentType>;

/** Every page, by its route. A page reads its own parameters (`useParams`). */
const PAGES: readonly (readonly [string, Page])[] = [
  ["/", lazy(() => import("./pages/home"))],
  ["/runs", lazy(() => import("./pages/runs"))],
  ["/runs/:id/steps/:step", lazy(() => import("./pages/run"))],
  ["/runs/:id", lazy(() => import("./pages/run"))],
  ["/compare/:left/:right", lazy(() => import("./pages/compare"))],
  ["/approvals/:id?", lazy(() => import("./pages/approvals"))],
  ["/chat/:session?", lazy(() => import("./pages/chat"))],
  ["/workflows/:name?", lazy(() => import("./pages/workflows"))],
  ["/quality", lazy(() => import("./pages/quality"))],
  ["/quality/:kind/:id", lazy(() => import("./pages/quality"))],
  ["/registry", lazy(() => import("./pages/registry"))],
  ["/registry/:kind/:name", lazy(() => import("./pages/registry"))],
  ["/policies", lazy(() => import("./pages/policies"))],
  ["/cost", lazy(() => import("./pages/cost"))],
  ["/settings", lazy(() => import("./pages/settings"))],
];
const Login = lazy(() => import("./pages/login"));

/** The console: who is asked for first, then the pages in their frame. */
export function App() {
  const [me, setMe] = useState<Me | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isAsked, setAsked] = useState(false);

  const load = () => {
    setProblem(null);
    loadSession()
      .then(setMe)
      .catch((error: unknown) => {
        setMe(null);
        const said = asProblem(error);
        if (said.status !== 401) setProblem(said);
      })
      .finally(() => setAsked(true));
  };
  useEffect(() => {
    load();
    const out = () => setMe(null);
    signedOut.addEventListener("out", out);
    return () => signedOut.removeEventListener("out", out);
  }, []);

  if (!isAsked) return <Waiting />;
  if (problem) {
    return (
      <Center mih="60vh" p="md">
        <ProblemNote problem={problem} retry={load} />
      </Center>
    );
  }
  if (!me) {
    return (
      <Suspense fallback={<Waiting />}>
        <Router hook={useHashPath}>
          <LoginDoor onSignedIn={load} />
        </Router>
      </Suspense>
    );
  }
  return (
    <MeContext.Provider value={me}>
      <Router hook={useHashPath}>
        <ConfirmProvider>
          <Shell>
            <Boundary>
              <Suspense fallback={<Waiting />}>
                <Switch>
                  {PAGES.map(([path, Page]) => (
                    <Route key={path} path={path} component={Page} />
                  ))}
                  <Route path="/login">
                    <SignedIn />
                  </Route>
                  <Route>
                    <NoPage href="#/" to="the start" />
                  </Route>
                </Switch>
              </Suspense>
            </Boundary>
          </Shell>
        </ConfirmProvider>
      </Router>
    </MeContext.Provider>
  );
}

function LoginDoor({ onSignedIn }: { onSignedIn: () => void }) {
  const Door = Login as LazyExoticComponent<ComponentType<{ onSignedIn: () => void }>>;
  return <Door onSignedIn={onSignedIn} />;
}

/** Whoever has just signed in by a link goes to the start. */
function SignedIn() {
  useEffect(() => {
    location.hash = "#/";
  }, []);
  return null;
}

function Waiting() {
  return (
    <Center mih="40vh">
      <Loader size="sm" role="status" aria-label="Loading" />
    </Center>
  );
}
