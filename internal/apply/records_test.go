package apply

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// split2 takes "v1 Service" and a name apart, as get wants them.
func split2(kind, name string) (apiVersion, k, n string) {
	apiVersion, k, _ = strings.Cut(kind, " ")
	return apiVersion, k, name
}

func (w *world) readRelease(name string) *v1alpha1.Release {
	w.t.Helper()
	r := &v1alpha1.Release{}
	w.must(server.Client.Get(w.ctx, key(w.s.Stack.Namespace, name), r))
	return r
}

func TestEndRelease(t *testing.T) {
	w := newWorld(t)
	ref := w.release("shop-1", frontend)
	ended := v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeLive, Slot: "green", At: metav1.NewTime(w.clock)}
	w.ok(plan.EndRelease{Release: ref, Ended: ended})
	version := w.readRelease("shop-1").ResourceVersion
	ended.At = metav1.NewTime(w.clock.Add(time.Hour))
	w.ok(plan.EndRelease{Release: ref, Ended: ended})
	if got := w.readRelease("shop-1"); got.ResourceVersion != version {
		t.Errorf("the same outcome was written twice: %+v", got.Status.Ended)
	}
	ended.Outcome = v1alpha1.OutcomeReplaced
	w.ok(plan.EndRelease{Release: ref, Ended: ended})
	if got := w.readRelease("shop-1").Status.Ended.Outcome; got != v1alpha1.OutcomeLive {
		t.Errorf("a plan that did not know that the Release was live made it %s", got)
	}
	w.ok(plan.EndRelease{Release: ref, Was: v1alpha1.OutcomeLive, Ended: ended})
	if got := w.readRelease("shop-1").Status.Ended.Outcome; got != v1alpha1.OutcomeReplaced {
		t.Errorf("outcome = %s", got)
	}
	w.ok(plan.EndRelease{Release: plan.ReleaseRef{Name: ref.Name, UID: "another"}, Ended: v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeFailed, At: ended.At}})
	if got := w.readRelease("shop-1").Status.Ended.Outcome; got != v1alpha1.OutcomeReplaced {
		t.Errorf("a Release of the same name but another uid was ended: %s", got)
	}
}

func TestCreateRelease(t *testing.T) {
	w := newWorld(t)
	act := plan.CreateRelease{Name: "shop-abc", Spec: v1alpha1.ReleaseSpec{Stack: "shop", Revision: strings.Repeat("a", 40)}}
	w.ok(act)
	w.ok(act)
	got := w.readRelease("shop-abc")
	if got.Labels[v1alpha1.LabelStack] != "shop" || len(got.OwnerReferences) != 0 {
		t.Errorf("labels %v, owners %v", got.Labels, got.OwnerReferences)
	}
}

func TestDeleteReleaseSweepsContent(t *testing.T) {
	w := newWorld(t)
	old := w.release("shop-1", frontend)
	w.release("shop-2", frontend2)
	shared := w.release("shop-3", frontend2)
	d := &v1alpha1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: "abort-1"}}
	d.Spec = v1alpha1.DecisionSpec{Release: old.Name, ReleaseUID: string(old.UID), Verb: v1alpha1.VerbAbort, By: "admin"}
	w.makeDecision(d)
	w.clock = time.Now().Add(2 * contentGrace)
	w.ok(plan.DeleteRelease{Release: plan.ReleaseRef{Name: shared.Name, UID: shared.UID}})
	w.ok(plan.DeleteRelease{Release: old})
	w.ok(plan.DeleteRelease{Release: old})
	if err := server.Client.Get(w.ctx, client.ObjectKeyFromObject(d), d); !apierrors.IsNotFound(err) {
		t.Errorf("the Decision about a Release that is gone is still there (%v)", err)
	}
	var secrets corev1.SecretList
	w.must(server.Client.List(w.ctx, &secrets, client.InNamespace(config.Namespace), client.MatchingLabels(contentLabels(&w.s.Stack))))
	want := w.readRelease("shop-2").Status.Started.Content[0].Secrets
	if len(secrets.Items) != 1 || len(want) != 1 || secrets.Items[0].Name != want[0] {
		t.Errorf("%d Secrets of content are left, and the Release that is left names %v", len(secrets.Items), want)
	}
}

// makeDecision makes a Decision as the administrator of the test's API server, whatever that one is called.
func (w *world) makeDecision(d *v1alpha1.Decision) {
	w.t.Helper()
	admin, err := server.As(d.Spec.By, "system:masters")
	w.must(err)
	w.must(admin.Create(w.ctx, d))
}

func TestFreshContentIsNotSwept(t *testing.T) {
	w := newWorld(t)
	ref := w.release("shop-1", frontend)
	w.clock = time.Now().Add(2 * contentGrace)
	w.must(w.applier.touch(w.ctx, w.readRelease("shop-1").Status.Started.Content[0].Secrets[0]))
	w.ok(plan.DeleteRelease{Release: ref})
	var secrets corev1.SecretList
	w.must(server.Client.List(w.ctx, &secrets, client.InNamespace(config.Namespace), client.MatchingLabels(contentLabels(&w.s.Stack))))
	if len(secrets.Items) != 1 {
		t.Errorf("content that was frozen again a moment ago was swept")
	}
}

func TestContentThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", frontend)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: w.readRelease("shop-1").Status.Started.Content[0].Secrets[0]}}
	w.must(server.Client.Delete(w.ctx, secret))
	contains(t, w.refused(applyFrontend(ref, 1, 1), v1alpha1.ReasonContentMissing), secret.Name, "make a new release")
}

func TestAnswerDecision(t *testing.T) {
	w := newWorld(t)
	ref := w.release("shop-1", frontend)
	d := &v1alpha1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: "abort-1"}}
	d.Spec = v1alpha1.DecisionSpec{Release: ref.Name, ReleaseUID: string(ref.UID), Verb: v1alpha1.VerbAbort, By: "admin"}
	w.makeDecision(d)
	act := plan.AnswerDecision{Name: d.Name, UID: d.UID, Result: v1alpha1.DecisionAccepted, Message: strings.Repeat("é", 2000)}
	w.ok(act)
	act.Result = v1alpha1.DecisionRefused
	w.ok(act)
	w.must(server.Client.Get(w.ctx, client.ObjectKeyFromObject(d), d))
	if d.Status.Result != v1alpha1.DecisionAccepted || len(d.Status.Message) > maxAnswer || d.Status.At == nil {
		t.Errorf("status = %+v", d.Status)
	}
}
