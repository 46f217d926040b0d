// Prints the exception of a provider of credentials, as node shows it.
// usage: node --input-type=module --eval THIS -- chain|container|imds
import { inspect } from "node:util";
import { fromHttp, fromInstanceMetadata, fromNodeProviderChain } from "@aws-sdk/credential-providers";

const provider = { chain: fromNodeProviderChain, container: fromHttp, imds: fromInstanceMetadata }[process.argv[1]];
try {
  await provider({ maxRetries: 0 })();
} catch (e) {
  console.error(inspect(e));
  process.exit(1);
}
