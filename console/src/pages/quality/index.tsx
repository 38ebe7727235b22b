import { useParams } from "wouter";
import { NoPage } from "../../ui";
import { OverviewPage } from "./overview";
import { RulePage } from "./rule";
import { TablePage } from "./table";

/** How well tables keep what was promised: all of them, one table, or one rule. */
export default function Page() {
  const { kind, id } = useParams<{ kind?: string; id?: string }>();
  if (!kind || !id) return <OverviewPage />;
  if (kind === "tables") return <TablePage key={id} id={id} />;
  if (kind === "rules") return <RulePage key={id} id={id} />;
  return <NoPage href="#/quality" to="data quality" />;
}
