// A workload: writes, reads and lists an S3 object with the AWS SDK for
// JavaScript and whatever credentials its default chain finds. BUCKET names the
// bucket.
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const Bucket = process.env.BUCKET;
const Key = "from-javascript.txt";
const text = "written by the SDK for JavaScript";

const client = new S3Client({});
await client.send(new PutObjectCommand({ Bucket, Key, Body: text }));
const object = await client.send(new GetObjectCommand({ Bucket, Key }));
const read = await object.Body.transformToString();
if (read !== text) {
  throw new Error(`read ${read}, wrote ${text}`);
}
const list = await client.send(new ListObjectsV2Command({ Bucket }));
for (const o of list.Contents) {
  console.log("object", o.Key);
}
