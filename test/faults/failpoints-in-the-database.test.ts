import { failpointCases } from "./rig/failpoint-cases.ts";

failpointCases("in the database");
