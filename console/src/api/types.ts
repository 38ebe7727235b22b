import type { components } from "./schema";

/** Types of the API, as the OpenAPI document names them: `Schemas["RunPage"]`. */
export type Schemas = components["schemas"];
