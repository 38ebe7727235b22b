import { PageHead, UrlTabs } from "../../ui";
import { About } from "./about";
import { Adapters } from "./adapters";
import { Appearance } from "./appearance";
import { Health } from "./health";
import { Keys } from "./keys";

/** Does everything work, who has keys, what runs here, and how it looks. */
export default function Page() {
  return (
    <>
      <PageHead title="Settings" />
      <UrlTabs
        tabs={[
          { value: "health", label: "Health", panel: <Health /> },
          { value: "keys", label: "Keys", panel: <Keys /> },
          { value: "adapters", label: "Adapters", panel: <Adapters /> },
          { value: "about", label: "About", panel: <About /> },
          { value: "theme", label: "Theme", panel: <Appearance /> },
        ]}
      />
    </>
  );
}
