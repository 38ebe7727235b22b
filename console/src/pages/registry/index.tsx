import { useParams } from "wouter";
import { DefinitionPage } from "./definition";
import { ListPage } from "./list";

/** Every definition of every kind, or one of them. */
export default function Page() {
  const { kind, name } = useParams<{ kind?: string; name?: string }>();
  if (kind && name) return <DefinitionPage key={`${kind}/${name}`} kind={kind} name={name} />;
  return <ListPage />;
}
