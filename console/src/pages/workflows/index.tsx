import { useParams } from "wouter";
import { Catalogue } from "./catalogue";
import { Detail } from "./detail";

/** Workflows: all of them, or one. */
export default function Page() {
  const { name } = useParams<{ name?: string }>();
  return name ? <Detail key={name} name={decodeURIComponent(name)} /> : <Catalogue />;
}
