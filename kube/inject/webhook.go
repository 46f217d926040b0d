package inject

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/reason"
)

// A Directory yields what the cluster says of a ServiceAccount: the account, nil
// if there is none, and all associations. An error means that it cannot be
// known now.
type Directory interface {
	Lookup(ctx context.Context, namespace, account string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error)
}

// A Webhook answers AdmissionReviews (admission.k8s.io/v1) about pods that are
// to be created.
//
// A pod that cannot be given its identity is denied, with the reason. Where the
// webhook itself cannot answer, it fails with an HTTP status, and the failure
// policy of its configuration decides.
type Webhook struct {
	Settings  Settings
	Directory Directory
	// Refused is told of each pod that is denied for its ServiceAccount's sake,
	// except in a dry run; nil: nobody is.
	Refused func(account *corev1.ServiceAccount, why *identity.Refusal)
	// Log says what is done to which pod; nil: silent.
	Log *slog.Logger

	counts [outcomes]atomic.Uint64

	once  sync.Once
	large chan struct{} // a place for each large review
	busy  chan struct{} // and for each that is looked at
}

// Outcomes of reviews.
const (
	Given   = iota // the pod is given something
	Nothing        // there is nothing to give, or it has it
	Denied
	Failed // no answer
	outcomes
)

// Count is how many reviews have had an outcome.
func (w *Webhook) Count(outcome int) uint64 { return w.counts[outcome].Load() }

// maxReview is below what the API server takes from anybody (3 MiB), and above
// what its store keeps of an object (1.5 MiB).
const maxReview = 3_000_000

// Whoever reaches the webhook can send it reviews. Most pods are small; of
// larger reviews it holds a few at a time, and looks at so many in all, so that
// nobody makes it outgrow its memory.
const (
	smallReview = 64 << 10
	mostLarge   = 4
	mostBusy    = 64
)

// patience with the directory is less than the API server's with us.
const patience = 2500 * time.Millisecond

func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		w.fail(rw, http.StatusMethodNotAllowed, "reviews are sent by POST")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w.once.Do(func() { w.large, w.busy = make(chan struct{}, mostLarge), make(chan struct{}, mostBusy) })
	body, err := io.ReadAll(io.LimitReader(r.Body, smallReview))
	if err == nil && len(body) == smallReview {
		if !enter(ctx, w.large) {
			w.fail(rw, http.StatusServiceUnavailable, "too many large reviews at once")
			return
		}
		defer leave(w.large)
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(r.Body, maxReview+1-smallReview))
		body = append(body, rest...)
	}
	if err != nil {
		w.fail(rw, http.StatusBadRequest, "the review did not arrive whole")
		return
	}
	if !enter(ctx, w.busy) {
		w.fail(rw, http.StatusServiceUnavailable, "too many reviews at once")
		return
	}
	defer leave(w.busy)
	if len(body) > maxReview {
		w.tooLarge(rw, body)
		return
	}
	request, err := readReview(body)
	if err != nil {
		w.fail(rw, http.StatusBadRequest, err.Error())
		return
	}
	answer, err := w.review(ctx, request)
	if err != nil {
		w.fail(rw, http.StatusServiceUnavailable, err.Error())
		return
	}
	w.answer(rw, answer)
}

// enter waits for a place, as long as ctx lasts.
func enter(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func leave(places chan struct{}) { <-places }

// review answers one request. An error means that no answer can be given now.
func (w *Webhook) review(ctx context.Context, request *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	answer := &admissionv1.AdmissionResponse{UID: request.UID, Allowed: true}
	if !aboutNewPod(request) {
		return answer, nil
	}
	pod, err := readPod(request.Object.Raw)
	if err != nil {
		return deny(answer, http.StatusBadRequest, &identity.Refusal{Slug: "review-malformed", Detail: err.Error()}), nil
	}
	pod.Namespace = request.Namespace
	if isMirror(pod) {
		return answer, nil
	}
	account, result, err := w.decide(ctx, pod)
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		w.told(request, account, refusal)
		return deny(answer, http.StatusForbidden, refusal), nil
	case err != nil:
		return nil, err
	}
	answer.Warnings = result.Warnings
	if len(result.Patch) == 0 {
		return answer, nil
	}
	if answer.Patch, err = json.Marshal(result.Patch); err != nil {
		return nil, err
	}
	kind := admissionv1.PatchTypeJSONPatch
	answer.PatchType = &kind
	w.log().Info("pod is given credentials", "namespace", request.Namespace, "pod", pod.Name+pod.GenerateName,
		"serviceAccount", account.Name, "delivery", string(result.Delivery), "dryRun", dry(request))
	return answer, nil
}

func (w *Webhook) decide(ctx context.Context, pod *corev1.Pod) (*corev1.ServiceAccount, Result, error) {
	name := pod.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	account, associations, err := w.Directory.Lookup(ctx, pod.Namespace, name)
	if err != nil {
		w.log().Error("looking up a ServiceAccount", "namespace", pod.Namespace, "serviceAccount", name, "error", err)
		return nil, Result{}, errors.New("the ServiceAccount cannot be looked up now")
	}
	id, _, err := identity.Resolve(pod, account, associations, w.Settings.Cluster)
	if err != nil {
		return account, Result{}, err
	}
	result, err := Mutate(pod, id, w.Settings)
	return account, result, err
}

// told passes a refusal on to people, who may never see the answer.
func (w *Webhook) told(request *admissionv1.AdmissionRequest, account *corev1.ServiceAccount, why *identity.Refusal) {
	w.log().Warn("pod is denied", "namespace", request.Namespace, "reason", why.Slug, "detail", why.Detail, "dryRun", dry(request))
	if account != nil && w.Refused != nil && !dry(request) {
		w.Refused(account, why)
	}
}

// deny says what is wrong, which reason it has, and what to do.
func deny(answer *admissionv1.AdmissionResponse, status int32, why *identity.Refusal) *admissionv1.AdmissionResponse {
	message := "daypass: " + why.Detail + " (" + why.Slug + ")"
	if row, ok := reason.Lookup(why.Slug); ok {
		message += ": " + row.Mend
	}
	answer.Allowed = false
	answer.Result = &metav1.Status{Status: metav1.StatusFailure, Code: status, Message: message, Reason: metav1.StatusReasonForbidden}
	if status == http.StatusBadRequest {
		answer.Result.Reason = metav1.StatusReasonBadRequest
	}
	return answer
}

func dry(request *admissionv1.AdmissionRequest) bool { return request.DryRun != nil && *request.DryRun }

// tooLarge denies a pod of which only the start was read, if that tells which
// review it is.
func (w *Webhook) tooLarge(rw http.ResponseWriter, start []byte) {
	uid, ok := reviewUID(start)
	if !ok {
		w.fail(rw, http.StatusRequestEntityTooLarge, "the review is larger than 3 MB")
		return
	}
	w.answer(rw, deny(&admissionv1.AdmissionResponse{UID: uid}, http.StatusForbidden,
		&identity.Refusal{Slug: "review-too-large", Detail: "the pod is larger than 3 MB"}))
}

func (w *Webhook) answer(rw http.ResponseWriter, answer *admissionv1.AdmissionResponse) {
	switch {
	case !answer.Allowed:
		w.counts[Denied].Add(1)
	case len(answer.Patch) > 0:
		w.counts[Given].Add(1)
	default:
		w.counts[Nothing].Add(1)
	}
	review := admissionv1.AdmissionReview{Response: answer}
	review.APIVersion, review.Kind = admissionv1.SchemeGroupVersion.String(), "AdmissionReview"
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(review) // who has gone needs no answer
}

func (w *Webhook) fail(rw http.ResponseWriter, status int, why string) {
	w.counts[Failed].Add(1)
	http.Error(rw, "daypass: "+why, status)
}

func (w *Webhook) log() *slog.Logger {
	if w.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Log
}
