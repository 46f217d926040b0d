package iam

import (
	"slices"
	"strconv"
	"strings"

	"daypass.dev/sandbox/wire"
)

type simulationXML struct {
	EvaluationResults wire.List[evaluationXML]
	page
}

type evaluationXML struct {
	EvalActionName                    string
	EvalResourceName                  string `xml:",omitempty"`
	EvalDecision                      string
	MatchedStatements                 wire.List[statementXML]
	MissingContextValues              wire.List[string]
	PermissionsBoundaryDecisionDetail *boundaryDetailXML
	EvalDecisionDetails               *detailsXML
	ResourceSpecificResults           *wire.List[resourceXML]
}

type resourceXML struct {
	EvalResourceName                  string
	EvalResourceDecision              string
	MatchedStatements                 *wire.List[statementXML]
	MissingContextValues              *wire.List[string]
	EvalDecisionDetails               *detailsXML
	PermissionsBoundaryDecisionDetail *boundaryDetailXML
}

type statementXML struct {
	SourcePolicyID   string `xml:"SourcePolicyId"`
	SourcePolicyType string
	StartPosition    positionXML
	EndPosition      positionXML
}

type positionXML struct{ Line, Column int }

type boundaryDetailXML struct{ AllowedByPermissionsBoundary bool }

// detailsXML is a map of the query protocol.
type detailsXML struct {
	Entries []detailXML `xml:"entry"`
}

type detailXML struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// The decisions, in order of weight.
const (
	decidedAllowed  = "allowed"
	decidedImplicit = "implicitDeny"
	decidedExplicit = "explicitDeny"
)

// simulate answers each action on each resource; a page counts actions.
func (q *request) simulate(s *simulation) (any, error) {
	from := 0
	if m := q.Get("Marker"); m != "" {
		var err error
		if from, err = strconv.Atoi(m); err != nil || from < 1 {
			return nil, invalidInput("Invalid marker for pagination.")
		}
	}
	most, given, err := q.Int("MaxItems")
	if err != nil {
		return nil, err
	}
	if !given {
		most = 100
	}
	var v wire.Validation
	v.Range("maxItems", most, 1, 1000)
	if err := v.Err(); err != nil {
		return nil, err
	}
	var answer simulationXML
	end := min(from+most, len(s.actions))
	for i := from; i < end; i++ {
		result, err := s.evaluate(s.actions[i])
		if err != nil {
			return nil, err
		}
		answer.EvaluationResults.Members = append(answer.EvaluationResults.Members, result)
	}
	if end < len(s.actions) {
		answer.page = page{IsTruncated: true, Marker: strconv.Itoa(end)}
	}
	return answer, nil
}

// evaluate answers one action. Without resources, or for all of them, there is
// one answer and none for each resource.
func (s *simulation) evaluate(action string) (evaluationXML, error) {
	if len(s.resources) == 0 || len(s.resources) == 1 && s.resources[0] == "*" {
		one, err := s.decide(action, "*")
		return evaluationXML{
			EvalActionName: action, EvalResourceName: "*", EvalDecision: one.decision,
			MatchedStatements: wire.ListOf(one.matched...), MissingContextValues: wire.ListOf(one.missing...),
			PermissionsBoundaryDecisionDetail: one.boundary,
		}, err
	}
	e := evaluationXML{
		EvalActionName: action, EvalResourceName: s.display(action), EvalDecision: decidedAllowed,
		EvalDecisionDetails: &detailsXML{}, ResourceSpecificResults: &wire.List[resourceXML]{},
	}
	for _, resource := range s.resources {
		one, err := s.decide(action, resource)
		if err != nil {
			return e, err
		}
		e.add(one)
		e.ResourceSpecificResults.Members = append(e.ResourceSpecificResults.Members, one.view(resource))
	}
	return e, nil
}

// display is the resource's name where there are several. AWS shows the form of
// ARN that the action takes; of what it shows, only this is recorded.
func (s *simulation) display(action string) string {
	switch strings.ToLower(action) {
	case "s3:getobject", "s3:putobject", "s3:deleteobject":
		if len(s.resources) > 1 {
			return "arn:aws:s3:::${BucketName}/${KeyName}"
		}
	}
	if len(s.resources) > 1 {
		return ""
	}
	return s.resources[0]
}

// add lets one resource's verdict count for all.
func (e *evaluationXML) add(one verdict) {
	weight := []string{decidedAllowed, decidedImplicit, decidedExplicit}
	if slices.Index(weight, one.decision) > slices.Index(weight, e.EvalDecision) {
		e.EvalDecision = one.decision
	}
	for _, m := range one.matched {
		if !slices.Contains(e.MatchedStatements.Members, m) {
			e.MatchedStatements.Members = append(e.MatchedStatements.Members, m)
		}
	}
	for _, key := range one.missing {
		if !slices.Contains(e.MissingContextValues.Members, key) {
			e.MissingContextValues.Members = append(e.MissingContextValues.Members, key)
		}
	}
	if one.boundary != nil {
		allowed := e.PermissionsBoundaryDecisionDetail == nil || e.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary
		e.PermissionsBoundaryDecisionDetail = &boundaryDetailXML{allowed && one.boundary.AllowedByPermissionsBoundary}
	}
	if e.EvalDecisionDetails.Entries == nil {
		e.EvalDecisionDetails.Entries = one.details
	}
}

func (v verdict) view(resource string) resourceXML {
	r := resourceXML{EvalResourceName: resource, EvalResourceDecision: v.decision, PermissionsBoundaryDecisionDetail: v.boundary}
	if len(v.matched) > 0 {
		list := wire.ListOf(v.matched...)
		r.MatchedStatements = &list
	}
	if len(v.missing) > 0 {
		list := wire.ListOf(v.missing...)
		r.MissingContextValues = &list
	}
	if v.details != nil {
		r.EvalDecisionDetails = &detailsXML{v.details}
	}
	return r
}
