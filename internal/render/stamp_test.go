package render

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func decode(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

var stamp = StampOptions{Stack: "shop", StackNamespace: "home", Slot: "blue", Namespace: "shop-blue", Release: "shop-1"}

func TestStamp(t *testing.T) {
	objects := []*unstructured.Unstructured{
		decode(t, web),
		decode(t, `{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {spec: {}}}}}}`),
		decode(t, `{apiVersion: v1, kind: Service, metadata: {name: web, labels: {own: x}}, spec: {selector: {app: web}}}`),
		decode(t, `{apiVersion: v1, kind: Service, metadata: {name: elsewhere}, spec: {selector: {app: elsewhere}}}`),
		decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`),
	}
	before := decode(t, web)
	got := Stamp(objects, stamp)
	if diff := cmp.Diff(before, objects[0]); diff != "" {
		t.Errorf("Stamp changed what it was given:\n%s", diff)
	}
	own := map[string]any{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: "home", v1alpha1.LabelSlot: "blue", v1alpha1.LabelRelease: "shop-1"}
	with := func(more ...string) map[string]any {
		result := map[string]any{}
		maps.Copy(result, own)
		for i := 0; i < len(more); i += 2 {
			result[more[i]] = more[i+1]
		}
		return result
	}
	tests := []struct {
		object int
		path   []string
		want   map[string]any
	}{
		{0, []string{"metadata", "labels"}, with(v1alpha1.LabelMember, "web")},
		{0, []string{"spec", "template", "metadata", "labels"}, with(v1alpha1.LabelMember, "web", "app", "web")},
		{0, []string{"spec", "selector", "matchLabels"}, map[string]any{"app": "web"}},
		{1, []string{"metadata", "labels"}, with(v1alpha1.LabelMember, "nightly")},
		{1, []string{"spec", "jobTemplate", "metadata", "labels"}, with(v1alpha1.LabelMember, "nightly")},
		{1, []string{"spec", "jobTemplate", "spec", "template", "metadata", "labels"}, with(v1alpha1.LabelMember, "nightly")},
		{2, []string{"metadata", "labels"}, with("own", "x")},
		{2, []string{"spec", "selector"}, map[string]any{"app": "web", v1alpha1.LabelRelease: "shop-1", v1alpha1.LabelSlot: "blue"}},
		{3, []string{"spec", "selector"}, map[string]any{"app": "elsewhere"}},
		{4, []string{"metadata", "labels"}, own},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, child(got[test.object].Object, test.path...)); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", got[test.object].GetName(), test.path, diff)
		}
	}
	for _, o := range got {
		if o.GetNamespace() != "shop-blue" {
			t.Errorf("%s is in namespace %q", o.GetName(), o.GetNamespace())
		}
	}
}

func TestStampedObjectsShareNothing(t *testing.T) {
	objects := []*unstructured.Unstructured{decode(t, web)}
	Stamp(objects, stamp)[0].Object["spec"].(map[string]any)["template"] = "changed"
	if child(objects[0].Object, "spec", "template") == nil {
		t.Error("a stamped object shares fields with what it was made of")
	}
}

func TestSizes(t *testing.T) {
	tests := map[string]struct{ object, sizeless string }{
		"Deployment": {
			`{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 3, paused: true}}`,
			`{apiVersion: apps/v1, kind: Deployment, spec: {paused: true}}`,
		},
		"StatefulSet without": {
			`{apiVersion: apps/v1, kind: StatefulSet}`,
			`{apiVersion: apps/v1, kind: StatefulSet}`,
		},
		"CronJob": {
			`{apiVersion: batch/v1, kind: CronJob, spec: {schedule: x}}`,
			`{apiVersion: batch/v1, kind: CronJob, spec: {schedule: x}}`,
		},
		"Job": {
			`{apiVersion: batch/v1, kind: Job, spec: {suspend: false}}`,
			`{apiVersion: batch/v1, kind: Job, spec: {}}`,
		},
		"HorizontalPodAutoscaler": {
			`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {minReplicas: 2, maxReplicas: 9}}`,
			`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {maxReplicas: 9}}`,
		},
		"another kind": {
			`{apiVersion: example.com/v1, kind: Deployment, spec: {replicas: 3}}`,
			`{apiVersion: example.com/v1, kind: Deployment, spec: {replicas: 3}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := decode(t, test.object)
			equal(t, "WithoutReplicas", test.sizeless, WithoutReplicas(object))
			equal(t, "what was given", test.object, object)
		})
	}
}

func equal(t *testing.T, what, want string, got *unstructured.Unstructured) {
	t.Helper()
	wanted, err := marshal([]*unstructured.Unstructured{decode(t, want)})
	if err != nil {
		t.Fatal(err)
	}
	content, err := marshal([]*unstructured.Unstructured{got})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(wanted, content) {
		t.Errorf("%s:\nwant %s\ngot  %s", what, wanted, content)
	}
}

func configMap(t *testing.T, size int) *unstructured.Unstructured {
	t.Helper()
	noise := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[random.IntN(64)]
	}
	object := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`)
	object.Object["data"] = map[string]any{"noise": string(noise)}
	return object
}

func TestFrozenContentComesBack(t *testing.T) {
	objects := []*unstructured.Unstructured{configMap(t, 3<<20), decode(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 3, share: 0.5}}`)}
	objects[1].Object["spec"].(map[string]any)["replicas"] = int64(3)
	chunks, digest, err := Encode(objects)
	if err != nil {
		t.Fatal(err)
	}
	again, sameDigest, err := Encode(objects)
	if err != nil || digest != sameDigest || !reflect.DeepEqual(chunks, again) {
		t.Error("the same objects are frozen in another way")
	}
	if len(chunks) < 3 {
		t.Errorf("%d chunks", len(chunks))
	}
	for i, chunk := range chunks {
		if len(chunk) > 900<<10 {
			t.Errorf("chunk %d has %d bytes", i, len(chunk))
		}
	}
	got, err := Decode(chunks)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(objects, got) { // a diff of megabytes takes long
		t.Error("what was read is not what was frozen")
	}
	if _, err := Decode(chunks[:2]); err == nil {
		t.Error("content without its last chunk was read")
	}
}

func TestContentOverTheCaps(t *testing.T) {
	noise := []*unstructured.Unstructured{configMap(t, 12<<20)}
	_, _, err := Encode(noise)
	wantRefusal(t, err, v1alpha1.ReasonContentTooLarge, "compressed", "8192 KiB", "split the stack")
	wantRefusal(t, freezable(noise), v1alpha1.ReasonContentTooLarge)

	plain := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`)
	plain.Object["data"] = map[string]any{"text": string(bytes.Repeat([]byte("a"), 65<<20))}
	_, _, err = Encode([]*unstructured.Unstructured{plain})
	wantRefusal(t, err, v1alpha1.ReasonContentTooLarge, "65536 KiB")

	// Someone else may have written what is read back.
	bomb, err := compress(bytes.Repeat([]byte(" "), 65<<20))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Decode([][]byte{bomb})
	wantRefusal(t, err, v1alpha1.ReasonContentTooLarge)
}
