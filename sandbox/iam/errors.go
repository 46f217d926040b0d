package iam

import (
	"fmt"

	"daypass.dev/sandbox/world"
)

func missing(format string, args ...any) error {
	return &world.Refusal{Slug: "entity-missing", Code: "NoSuchEntity", Status: 404, Message: fmt.Sprintf(format, args...)}
}

func exists(format string, args ...any) error {
	return &world.Refusal{Slug: "entity-exists", Code: "EntityAlreadyExists", Status: 409, Message: fmt.Sprintf(format, args...)}
}

func conflict(message string) error {
	return &world.Refusal{Slug: "delete-conflict", Code: "DeleteConflict", Status: 409, Message: message}
}

func overQuota(format string, args ...any) error {
	return &world.Refusal{Slug: "quota-exceeded", Code: "LimitExceeded", Status: 409, Message: fmt.Sprintf(format, args...)}
}

func invalidInput(message string) error {
	return &world.Refusal{Slug: "input-invalid", Code: "InvalidInput", Status: 400, Message: message}
}

func notAttachable(arn string) error {
	return &world.Refusal{
		Slug: "policy-not-attachable", Code: "NoSuchEntity", Status: 404,
		Message: "Policy " + arn + " does not exist or is not attachable.",
	}
}
