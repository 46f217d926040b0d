// Reads one S3 object over and over, in one process, with the default chain.
// usage: node --input-type=module --eval THIS -- BUCKET KEY [once]
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

const [bucket, key, once] = process.argv.slice(1);
const s3 = new S3Client({});
let ended = false;
process.stdin.on("end", () => { ended = true; }).resume();
do {
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    console.log("read", await answer.Body.transformToString());
  } catch (e) {
    console.error(`${e.name}: ${e.message}`);
    process.exit(1);
  }
  await new Promise((done) => setTimeout(done, 400));
} while (!ended && once !== "once");
process.exit(0);
