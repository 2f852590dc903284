package apply

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

const frontend = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec:
  replicas: 3
  selector: {matchLabels: {app: frontend}}
  template:
    metadata: {labels: {app: frontend}}
    spec:
      containers:
      - name: frontend
        image: example.com/frontend:1
        env:
        - {name: COLOR, value: red}
        - {name: OLD, value: "1"}
---
apiVersion: v1
kind: Service
metadata: {name: frontend}
spec:
  selector: {app: frontend}
  ports: [{port: 80}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", b: "2"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: hush}
`

const frontend2 = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec:
  replicas: 3
  selector: {matchLabels: {app: frontend}}
  template:
    metadata: {labels: {app: frontend}}
    spec:
      containers:
      - name: frontend
        image: example.com/frontend:2
        env:
        - {name: COLOR, value: red}
---
apiVersion: v1
kind: Service
metadata: {name: frontend}
spec:
  selector: {app: frontend}
  ports: [{port: 80}]
`

func applyFrontend(ref plan.ReleaseRef, epoch int64, replicas int32) plan.ApplyMember {
	return plan.ApplyMember{Release: ref, Slot: "green", Epoch: epoch, Attempt: 1, Kind: "Deployment", Name: "frontend", Replicas: replicas}
}

// deployed is a world with a release deployed to green at epoch 5.
func deployed(t *testing.T, manifests string) (*world, plan.ReleaseRef) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", manifests)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 5, Attempt: 1})
	w.ok(applyFrontend(ref, 5, 2))
	return w, ref
}

func TestMemberIsMadeAtItsSize(t *testing.T) {
	w, ref := deployed(t, frontend)
	live := w.get("apps/v1", "Deployment", "frontend")
	if got := field(live, "spec", "replicas"); got != int64(2) {
		t.Errorf("replicas = %v, want 2", got)
	}
	if got := releaseOn(live); got != "shop-1" {
		t.Errorf("the Pod template is stamped with %q", got)
	}
	if got := epochOf(live); got != 5 {
		t.Errorf("epoch = %d, want 5", got)
	}
	for range 2 {
		w.ok(applyFrontend(ref, 5, 7))
	}
	if got := field(w.get("apps/v1", "Deployment", "frontend"), "spec", "replicas"); got != int64(2) {
		t.Errorf("applying a member again has scaled it to %v", got)
	}
}

func TestMemberOfAnotherReleaseIsReplacedAndResized(t *testing.T) {
	w, _ := deployed(t, frontend)
	w.ok(plan.Scale{Slot: "green", Epoch: 6, Kind: "Deployment", Name: "frontend", Replicas: new(int32)})
	w.edit(w.get("apps/v1", "Deployment", "frontend"), `{"spec":{"template":{"spec":{"containers":[{"name":"frontend","env":[{"name":"MINE","value":"x"}]}]}}}}`)
	ref := w.release("shop-2", frontend2)
	w.ok(applyFrontend(ref, 7, 4))
	live := w.get("apps/v1", "Deployment", "frontend")
	if got := field(live, "spec", "replicas"); got != int64(4) {
		t.Errorf("replicas = %v, want 4", got)
	}
	spec, err := podSpecOf(live)
	w.must(err)
	if env := spec.Containers[0].Env; len(env) != 1 || env[0].Name != "COLOR" {
		t.Errorf("what the former release and a person had set is still there: %v", env)
	}
}

func TestScale(t *testing.T) {
	w, _ := deployed(t, frontend)
	one := int32(1)
	for _, step := range []struct {
		epoch    int64
		replicas *int32
		want     int64
		epochNow int64
	}{
		{epoch: 6, replicas: new(int32), want: 0, epochNow: 6},
		{epoch: 7, want: 0, epochNow: 7},
		{epoch: 6, replicas: &one, want: 0, epochNow: 7},
		{epoch: 7, replicas: &one, want: 1, epochNow: 7},
	} {
		w.ok(plan.Scale{Slot: "green", Epoch: step.epoch, Kind: "Deployment", Name: "frontend", Replicas: step.replicas})
		live := w.get("apps/v1", "Deployment", "frontend")
		if got := field(live, "spec", "replicas"); got != step.want || epochOf(live) != step.epochNow {
			t.Errorf("after %+v: replicas %v, epoch %d", step, got, epochOf(live))
		}
	}
	w.ok(plan.Scale{Slot: "green", Epoch: 7, Kind: "Deployment", Name: "gone", Replicas: &one})
}

func TestWorkersSleep(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: example.com/nightly}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.com/migrate:1"}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: example.com/agent}]}}
`)
	kinds := map[string]string{"CronJob": "nightly", "Job": "migrate", "DaemonSet": "agent"}
	for range 2 {
		for kind, name := range kinds {
			w.ok(plan.ApplyMember{Release: ref, Slot: "green", Epoch: 1, Attempt: 1, Kind: kind, Name: name, Replicas: 1, Asleep: true})
		}
		w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	}
	w.isAsleep(true)
	one := int32(1)
	for kind, name := range kinds {
		w.ok(plan.Scale{Slot: "green", Epoch: 2, Kind: kind, Name: name, Replicas: &one})
	}
	w.isAsleep(false)
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
}

func (w *world) isAsleep(want bool) {
	w.t.Helper()
	if got := field(w.get("batch/v1", "CronJob", "nightly"), "spec", "suspend"); got != want {
		w.t.Errorf("CronJob: suspend = %v, want %v", got, want)
	}
	if got := field(w.get("batch/v1", "Job", "migrate"), "spec", "suspend"); got != want {
		w.t.Errorf("Job: suspend = %v, want %v", got, want)
	}
	selector, _ := field(w.get("apps/v1", "DaemonSet", "agent"), "spec", "template", "spec", "nodeSelector").(map[string]any)
	if _, got := selector[asleepKey]; got != want || selector["disk"] != "ssd" {
		w.t.Errorf("DaemonSet: nodeSelector = %v, want asleep %v", selector, want)
	}
}

func TestJobIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	job := func(tag string) string {
		return `
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.com/migrate:` + tag + `"}]}}}
`
	}
	act := plan.ApplyMember{Slot: "green", Epoch: 1, Attempt: 1, Kind: "Job", Name: "migrate", Replicas: 1}
	act.Release = w.release("shop-1", job("1"))
	w.ok(act)
	first := w.get("batch/v1", "Job", "migrate").GetUID()
	act.Release, act.Epoch = w.release("shop-2", job("2")), 2
	w.ok(plan.Preflight{Release: act.Release, Slot: "green", Attempt: 1})
	w.ok(act)
	again := w.get("batch/v1", "Job", "migrate")
	if again.GetUID() == first || releaseOn(again) != "shop-2" {
		t.Errorf("the Job of the former release is still there")
	}
}

func TestBaseIsPruned(t *testing.T) {
	w, _ := deployed(t, frontend)
	namespace := w.s.Stack.Namespace + "-green"
	copied := w.get("v1", "ConfigMap", "settings")
	w.make(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "copy", Labels: copied.GetLabels()}})
	w.make(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}})
	ref := w.release("shop-2", frontend2)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 6, Attempt: 1})
	for name, want := range map[string]bool{"settings": false, "copy": true, "other": true} {
		if got := w.find("v1", "ConfigMap", name) != nil; got != want {
			t.Errorf("ConfigMap %s exists: %v, want %v", name, got, want)
		}
	}
	if w.find("v1", "Secret", "keys") != nil {
		t.Error("the former release's Secret is still there")
	}
	if got := field(w.get("v1", "Service", "frontend"), "spec", "selector", v1alpha1.LabelRelease); got != "shop-2" {
		t.Errorf("the Service selects release %v", got)
	}
	if w.find("rbac.authorization.k8s.io/v1", "RoleBinding", v1alpha1.ReleaserClusterRole) == nil {
		t.Error("the slot's RoleBinding was pruned")
	}
}

// The name of a Secret is a hash of what it holds: what takes its place is neither applied nor compared with.
func TestContentThatIsNotWhatWasFrozenIsRefused(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", frontend)
	frozen := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.applier.ControllerNamespace, Name: w.s.Releases[0].Status.Started.Content[0].Secrets[0]}}
	w.must(server.Client.Delete(w.ctx, frozen))
	forged, _, err := render.Encode(parse(t, frontend2))
	w.must(err)
	w.make(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: frozen.Namespace, Name: frozen.Name}, Type: contentType, Data: map[string][]byte{contentKey: forged[0]}})

	message := w.refused(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 5, Attempt: 1}, v1alpha1.ReasonContentMissing)
	if !strings.Contains(message, frozen.Name) {
		t.Errorf("the message does not name the Secret: %s", message)
	}
	w.refused(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonContentMissing)
	if w.find("v1", "Service", "frontend") != nil {
		t.Error("something was applied")
	}
}

func TestFieldsThatTheContentNoLongerHasGo(t *testing.T) {
	w, _ := deployed(t, frontend)
	ref := w.release("shop-2", `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
`)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 6, Attempt: 1})
	if got := field(w.get("v1", "ConfigMap", "settings"), "data", "b"); got != nil {
		t.Errorf("data.b = %v, and the release has none", got)
	}
}

func TestLaterEpochIsLeftAlone(t *testing.T) {
	w, _ := deployed(t, frontend)
	ref := w.release("shop-2", frontend2)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 4, Attempt: 1})
	w.ok(applyFrontend(ref, 4, 9))
	if got := releaseOn(w.get("apps/v1", "Deployment", "frontend")); got != "shop-1" {
		t.Errorf("a late plan has put release %s over a later one", got)
	}
	if got := field(w.get("v1", "Service", "frontend"), "spec", "selector", v1alpha1.LabelRelease); got != "shop-1" {
		t.Errorf("a late plan has pointed the Service at release %v", got)
	}
	if w.find("v1", "ConfigMap", "settings") == nil {
		t.Error("a late plan has pruned what a later one applied")
	}
}

// TestLateWriterLosesTheRace stops a writer between reading and writing, and lets another one write in between.
func TestLateWriterLosesTheRace(t *testing.T) {
	for name, act := range map[string]func(ref plan.ReleaseRef) plan.Action{
		"member that exists": func(ref plan.ReleaseRef) plan.Action { return applyFrontend(ref, 6, 9) },
		"base that exists": func(ref plan.ReleaseRef) plan.Action {
			return plan.ApplyBase{Release: ref, Slot: "green", Epoch: 6, Attempt: 1}
		},
		"size": func(plan.ReleaseRef) plan.Action {
			return plan.Scale{Slot: "green", Epoch: 6, Kind: "Deployment", Name: "frontend", Replicas: new(int32)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, ref := deployed(t, frontend)
			w.beforeWrites(func() {
				for _, o := range []*unstructured.Unstructured{w.get("apps/v1", "Deployment", "frontend"), w.get("v1", "Service", "frontend"), w.get("v1", "ConfigMap", "settings"), w.get("v1", "Secret", "keys")} {
					w.edit(o, `{"metadata":{"annotations":{"lockstep.dev/epoch":"9"}}}`)
				}
			})
			if _, err := w.applier.Do(w.ctx, w.s, act(ref)); !apierrors.IsConflict(err) {
				t.Fatalf("got %v, want a conflict", err)
			}
		})
	}
	t.Run("member that does not exist", func(t *testing.T) {
		w := newWorld(t)
		w.prepare("green")
		ref := w.release("shop-1", frontend)
		w.beforeWrites(func() {
			o := w.applierContent(ref)[0]
			o.SetNamespace(w.s.Stack.Namespace + "-green")
			setEpoch(o, 9)
			w.make(o)
		})
		if _, err := w.applier.Do(w.ctx, w.s, applyFrontend(ref, 6, 9)); !apierrors.IsAlreadyExists(err) {
			t.Fatalf("got %v, want that it already exists", err)
		}
	})
}

func (w *world) applierContent(ref plan.ReleaseRef) []*unstructured.Unstructured {
	w.t.Helper()
	release, err := releaseOf(w.s, ref)
	w.must(err)
	slot, err := slotOf(w.s, "green")
	w.must(err)
	objects, err := w.applier.content(w.ctx, &w.s.Stack, release, slot)
	w.must(err)
	return objects
}

// beforeWrites runs something once, after the Stack's ServiceAccount has read and before it writes.
func (w *world) beforeWrites(do func()) {
	w.t.Helper()
	user := userOf(&w.s.Stack)
	base, err := client.NewWithWatch(w.applier.acting(user), client.Options{Scheme: server.Scheme})
	w.must(err)
	done := false
	once := func() {
		if !done {
			done = true
			do()
		}
	}
	w.applier.teams[user] = interceptor.NewClient(base, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			once()
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			once()
			return c.Patch(ctx, o, p, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			once()
			return c.Update(ctx, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			once()
			return c.Apply(ctx, o, opts...)
		},
	})
}

func TestDeploymentWithAnotherSelectorIsMadeAgain(t *testing.T) {
	w, _ := deployed(t, frontend)
	first := w.get("apps/v1", "Deployment", "frontend").GetUID()
	ref := w.release("shop-2", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec:
  selector: {matchLabels: {name: frontend}}
  template: {metadata: {labels: {name: frontend}}, spec: {containers: [{name: c, image: i}]}}
`)
	w.ok(plan.Preflight{Release: ref, Slot: "green", Attempt: 1})
	w.ok(applyFrontend(ref, 6, 4))
	again := w.get("apps/v1", "Deployment", "frontend")
	if again.GetUID() == first || field(again, "spec", "replicas") != int64(4) {
		t.Errorf("the Deployment is the former one, or has %v replicas", field(again, "spec", "replicas"))
	}
}

// TestDeathBetweenCreateAndSettle creates as create does, and dies before ownership is settled.
func TestDeathBetweenCreateAndSettle(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", frontend)
	for _, o := range w.applierContent(ref) {
		if o.GetKind() == "Deployment" {
			resized, err := sized(o, 2)
			w.must(err)
			o = resized
		}
		setEpoch(o, 5)
		w.must(server.Client.Create(w.ctx, o, client.FieldOwner(v1alpha1.ManagerContent)))
	}
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 5, Attempt: 1})
	w.ok(applyFrontend(ref, 5, 2))
	if got := field(w.get("apps/v1", "Deployment", "frontend"), "spec", "replicas"); got != int64(2) {
		t.Errorf("replicas = %v, want 2", got)
	}
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	ref = w.release("shop-2", frontend2)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 6, Attempt: 1})
	w.ok(applyFrontend(ref, 6, 3))
	spec, err := podSpecOf(w.get("apps/v1", "Deployment", "frontend"))
	w.must(err)
	if len(spec.Containers[0].Env) != 1 {
		t.Errorf("what the former release set is still there: %v", spec.Containers[0].Env)
	}
}

// TestSizeIsWrittenThoughStatusWas: the cluster's own controllers write status between content and size. Who writes the spec,
// or a later epoch, keeps the size from being written.
func TestSizeIsWrittenThoughStatusWas(t *testing.T) {
	w, ref := deployed(t, frontend)
	work, err := w.applier.openSlot(w.ctx, w.s, ref, "green")
	w.must(err)
	size := func(epoch int64, replicas int32, meanwhile func(*unstructured.Unstructured)) error {
		applied := w.get("apps/v1", "Deployment", "frontend")
		meanwhile(applied)
		m := &member{slotWork: work, act: plan.ApplyMember{Epoch: epoch}}
		return m.resizeApplied(w.ctx, applied, &replicas)
	}
	status := func(o *unstructured.Unstructured) {
		w.must(server.Client.Status().Patch(w.ctx, o.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`))))
	}
	if err := size(7, 5, status); err != nil || field(w.get("apps/v1", "Deployment", "frontend"), "spec", "replicas") != int64(5) {
		t.Errorf("the size was not written: %v", err)
	}
	if err := size(7, 6, func(o *unstructured.Unstructured) { w.edit(o, `{"spec":{"minReadySeconds":1}}`) }); !apierrors.IsConflict(err) {
		t.Errorf("the size was written over another spec: %v", err)
	}
	if err := size(7, 6, func(o *unstructured.Unstructured) {
		w.edit(o, `{"metadata":{"annotations":{"`+v1alpha1.AnnotationEpoch+`":"8"}}}`)
	}); !apierrors.IsConflict(err) {
		t.Errorf("the size was written over a later epoch: %v", err)
	}
}
