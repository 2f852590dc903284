package apply

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func TestPrepareSlot(t *testing.T) {
	w := newWorld(t)
	home := w.s.Stack.Namespace
	w.prepare("green")
	w.prepare("green")
	ns := &corev1.Namespace{}
	w.must(server.Client.Get(w.ctx, key("", home+"-green"), ns))
	for name, want := range map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: home, v1alpha1.LabelSlot: "green"} {
		if ns.Labels[name] != want {
			t.Errorf("label %s = %q, want %q", name, ns.Labels[name], want)
		}
	}
	w.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home + "-blue"}})
	contains(t, w.refused(plan.PrepareSlot{Slot: "blue"}, v1alpha1.ReasonNamespaceNoConsent), "kubectl label namespace "+home+"-blue", "lockstep.dev/stack=shop")
	w.s.Stack.Spec.Slots[0].Namespace = "elsewhere-" + home
	contains(t, w.refused(plan.PrepareSlot{Slot: "blue"}, v1alpha1.ReasonNamespaceMissing), home+"-")
}

func TestVerifyContent(t *testing.T) {
	for name, test := range map[string]struct {
		kind, object string
		patch        string
		want         []string
	}{
		"nothing changed": {},
		"scaled by someone": {
			kind: "apps/v1 Deployment", object: "frontend", patch: `{"spec":{"replicas":9}}`,
		},
		"annotated by someone": {
			kind: "apps/v1 Deployment", object: "frontend", patch: `{"metadata":{"annotations":{"note":"mine"}}}`,
		},
		"restarted by someone": {
			kind: "apps/v1 Deployment", object: "frontend",
			patch: `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`,
		},
		"image": {
			kind: "apps/v1 Deployment", object: "frontend",
			patch: `{"spec":{"template":{"spec":{"containers":[{"name":"frontend","image":"example.com/frontend:evil"}]}}}}`,
			want:  []string{"Deployment", "/frontend", `spec.template.spec.containers[name="frontend"].image`, "written by kubectl-edit"},
		},
		"environment added": {
			kind: "apps/v1 Deployment", object: "frontend",
			patch: `{"spec":{"template":{"spec":{"containers":[{"name":"frontend","env":[{"name":"CATALOG","value":"http://elsewhere"}]}]}}}}`,
			want:  []string{`env[name="CATALOG"]`, "written by kubectl-edit"},
		},
		"environment removed": {
			kind: "apps/v1 Deployment", object: "frontend",
			patch: `{"spec":{"template":{"spec":{"containers":[{"name":"frontend","env":[{"name":"OLD","$patch":"delete"}]}]}}}}`,
			want:  []string{"spec.template.spec.containers[0].env", "changed or removed"},
		},
		"selector": {
			kind: "v1 Service", object: "frontend", patch: `{"spec":{"selector":{"lockstep.dev/release":"shop-0"}}}`,
			want: []string{"Service", "spec.selector", "kubectl-edit"},
		},
		"stamp": {
			kind: "apps/v1 Deployment", object: "frontend",
			patch: `{"metadata":{"labels":{"lockstep.dev/release":"shop-0"}}}`,
			want:  []string{"metadata.labels.lockstep.dev/release", "kubectl-edit"},
		},
		"secret": {
			kind: "v1 Secret", object: "keys", patch: `{"data":{"token":"c2VjcmV0"}}`,
			want: []string{"Secret", "data.token", "kubectl-edit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, ref := deployed(t, frontend)
			one := int32(1)
			w.ok(plan.Scale{Slot: "green", Epoch: 6, Kind: "Deployment", Name: "frontend", Replicas: &one})
			if test.patch != "" {
				w.edit(w.get(split2(test.kind, test.object)), test.patch)
			}
			if test.want == nil {
				w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
				return
			}
			contains(t, w.refused(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonContentDrifted), test.want...)
		})
	}
	t.Run("object missing", func(t *testing.T) {
		w, ref := deployed(t, frontend)
		w.must(server.Client.Delete(w.ctx, w.get("v1", "ConfigMap", "settings")))
		contains(t, w.refused(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonContentDrifted), "settings is missing")
	})
}

func TestPreflight(t *testing.T) {
	const pod = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
`
	for name, test := range map[string]struct {
		manifests string
		set       func(w *world)
		reason    string
		want      []string
	}{
		"good": {manifests: frontend},
		"references that are there": {
			manifests: pod + `      {serviceAccountName: runner, containers: [{name: c, image: i, envFrom: [{secretRef: {name: env-green}}, {configMapRef: {name: nowhere, optional: true}}]}]}`,
			set: func(w *world) {
				ns := w.s.Stack.Namespace + "-green"
				w.make(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "env-green"}})
				w.make(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "runner"}})
			},
		},
		"references that are missing": {
			manifests: pod + `      {imagePullSecrets: [{name: pull}], volumes: [{name: v, persistentVolumeClaim: {claimName: data}}], containers: [{name: c, image: i, env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}]}]}`,
			reason:    v1alpha1.ReasonReferenceMissing,
			want:      []string{"member web", "Secret pull", "PersistentVolumeClaim data", "ConfigMap settings"},
		},
		"reference that is pruned": {
			manifests: pod + `      {containers: [{name: c, image: i, envFrom: [{secretRef: {name: keys}}, {configMapRef: {name: settings}}]}]}`,
			set: func(w *world) {
				former := w.release("shop-0", frontend)
				w.ok(plan.ApplyBase{Release: former, Slot: "green", Epoch: 1, Attempt: 1})
			},
			reason: v1alpha1.ReasonReferenceMissing, want: []string{"Secret keys", "ConfigMap settings"},
		},
		"invalid": {
			manifests: pod + `      {containers: [{name: C_C, image: i}]}`,
			reason:    v1alpha1.ReasonAdmissionRefused, want: []string{"Deployment", "/web", "C_C"},
		},
		"unknown field": {
			manifests: pod + `      {containers: [{name: c, image: i, imagePollicy: x}]}`,
			reason:    v1alpha1.ReasonAdmissionRefused, want: []string{"imagePollicy"},
		},
		"secret that is invalid": {
			manifests: "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: hush hush}}",
			reason:    v1alpha1.ReasonAdmissionRefused, want: []string{"Secret", "/s", "not shown"},
		},
		"unknown kind": {
			manifests: "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}}",
			reason:    v1alpha1.ReasonAdmissionRefused, want: []string{"does not know Gadget g"},
		},
		"cluster-scoped": {
			manifests: "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: p}, value: 1}",
			reason:    v1alpha1.ReasonClusterScoped, want: []string{"PriorityClass p"},
		},
		"no right": {
			manifests: "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}",
			reason:    v1alpha1.ReasonForbidden, want: []string{"Ingress", "kubectl create rolebinding"},
		},
		"quota": {
			manifests: pod + `      {containers: [{name: c, image: i, resources: {requests: {cpu: 600m}}}]}`,
			set: func(w *world) {
				quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace + "-green", Name: "small"}}
				quota.Spec.Hard = corev1.ResourceList{"requests.cpu": resource.MustParse("1"), "pods": resource.MustParse("10")}
				w.make(quota)
			},
			reason: v1alpha1.ReasonQuotaExceeded, want: []string{"small", "requests.cpu", "together need 1200m", "1 is free"},
		},
		"no ServiceAccount": {
			manifests: frontend,
			set: func(w *world) {
				w.must(server.Client.Delete(w.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: v1alpha1.DefaultServiceAccount}}))
			},
			reason: v1alpha1.ReasonServiceAccountMissing,
			want:   []string{"kubectl create serviceaccount lockstep-releaser", "kubectl create rolebinding"},
		},
		"a ServiceAccount that the controller may not act as": {
			manifests: frontend,
			set: func(w *world) {
				w.s.Stack.Spec.ServiceAccountName = "other"
				w.make(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace, Name: "other"}})
			},
			reason: v1alpha1.ReasonForbidden, want: []string{"may not act as ServiceAccount", "impersonate"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prepare("green")
			ref := w.release("shop-1", test.manifests)
			if test.set != nil {
				test.set(w)
			}
			act := plan.Preflight{Release: ref, Slot: "green", Attempt: 1}
			if test.reason == "" {
				w.ok(act)
				return
			}
			contains(t, w.refused(act, test.reason), test.want...)
		})
	}
}
