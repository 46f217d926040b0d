// Command gosdk is a workload: it writes, reads and lists an S3 object with the
// AWS SDK for Go and whatever credentials its default chain finds. BUCKET names
// the bucket; TOPIC, if set, is the ARN of an SNS topic that it tells then.
// With EVERY, as 1s, it goes on to read the object that often, until a read
// fails.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const key = "from-go.txt"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := run(ctx, os.Getenv("BUCKET"), os.Getenv("TOPIC"))
	if every, wrong := time.ParseDuration(os.Getenv("EVERY")); err == nil && wrong == nil {
		err = repeat(every, os.Getenv("BUCKET"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// repeat returns the first error. Every tenth time it begins anew, with the
// credentials that there are then.
func repeat(every time.Duration, bucket string) error {
	var client *s3.Client
	for n := 0; ; n++ {
		if n%10 == 0 {
			cfg, err := config.LoadDefaultConfig(context.Background())
			if err != nil {
				return err
			}
			client = s3.NewFromConfig(cfg)
		}
		time.Sleep(every)
		if err := read(client, bucket); err != nil {
			return fmt.Errorf("%s: read %d: %w", time.Now().UTC().Format(time.RFC3339), n+1, err)
		}
		fmt.Println("read", n+1)
	}
}

func read(client *s3.Client, bucket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(key)})
	if err != nil {
		return err
	}
	return object.Body.Close()
}

func run(ctx context.Context, bucket, topic string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Println("caller", aws.ToString(who.Arn))
	client := s3.NewFromConfig(cfg)
	text := []byte("written by the SDK for Go")
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(key), Body: bytes.NewReader(text)}); err != nil {
		return err
	}
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(key)})
	if err != nil {
		return err
	}
	defer object.Body.Close()
	read, err := io.ReadAll(object.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(read, text) {
		return fmt.Errorf("read %q, wrote %q", read, text)
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return err
	}
	for _, o := range list.Contents {
		fmt.Println("object", aws.ToString(o.Key))
	}
	if topic == "" {
		return nil
	}
	sent, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String(key + " is there")})
	if err != nil {
		return err
	}
	fmt.Println("message", aws.ToString(sent.MessageId))
	return nil
}
