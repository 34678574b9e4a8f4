import { failpointCases } from "./rig/failpoint-cases.ts";

failpointCases("after it");
