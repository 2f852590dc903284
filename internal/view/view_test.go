package view_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/internal/view"
)

var update = flag.Bool("update", false, "write what is seen into the golden files")

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestShown prints every scenario of testdata. A scenario is the objects of a namespace or of slots, followed by what is
// to be seen of them: tree, narrow, wide, colour, history, json.
func TestShown(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { compare(t, file) })
	}
}

func compare(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, archive)
	for i, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".yaml") {
			continue
		}
		got := shown(t, in, f.Name)
		if *update {
			archive.Files[i].Data = []byte(got)
			continue
		}
		if diff := cmp.Diff(string(f.Data), got); diff != "" {
			t.Errorf("%s differs (-want +got); go test ./internal/view -update writes it anew:\n%s", f.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func shown(t *testing.T, in view.Input, how string) string {
	t.Helper()
	m := view.Stack(in)
	switch how {
	case "tree":
		return view.Tree(m, view.Look{})
	case "narrow":
		return view.Tree(m, view.Look{Width: 60})
	case "wide":
		return view.Tree(m, view.Look{Wide: true})
	case "colour":
		return strings.ReplaceAll(view.Tree(m, view.Look{Color: true}), "\x1b", "␛")
	case "json":
		return indented(t, m)
	case "history":
		return indented(t, view.History(in))
	}
	t.Fatalf("there is no way to show %q", how)
	return ""
}

func indented(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + "\n"
}

// input reads home.yaml (Stack, Releases, Decisions) and <slot>.yaml (what runs in the slot).
func input(t *testing.T, archive *txtar.Archive) view.Input {
	t.Helper()
	in := view.Input{Namespace: "shop", Now: now, Objects: map[string]view.SlotObjects{}}
	for _, f := range archive.Files {
		slot, isYAML := strings.CutSuffix(f.Name, ".yaml")
		if !isYAML {
			continue
		}
		var objects view.SlotObjects
		for _, doc := range documents(t, f.Data) {
			add(t, &in, &objects, doc)
		}
		if slot != "home" {
			in.Objects[slot] = objects
		}
	}
	return in
}

func documents(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var out [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, doc)
	}
}

func add(t *testing.T, in *view.Input, objects *view.SlotObjects, doc []byte) {
	t.Helper()
	var kind metav1.TypeMeta
	read(t, doc, &kind)
	switch kind.Kind {
	case "Stack":
		read(t, doc, &in.Stack)
	case "Release":
		in.Releases = append(in.Releases, one(t, doc, in.Releases))
	case "Decision":
		in.Decisions = append(in.Decisions, one(t, doc, in.Decisions))
	case "Deployment":
		objects.Deployments = append(objects.Deployments, one[appsv1.Deployment](t, doc, nil))
	case "StatefulSet":
		objects.StatefulSets = append(objects.StatefulSets, one[appsv1.StatefulSet](t, doc, nil))
	case "CronJob":
		objects.CronJobs = append(objects.CronJobs, one[batchv1.CronJob](t, doc, nil))
	case "Pod":
		objects.Pods = append(objects.Pods, one[corev1.Pod](t, doc, nil))
	case "Forbidden":
		objects.Problem = "you may not read workloads in this namespace; members are shown as released"
	default:
		t.Fatalf("kind %q is not expected here", kind.Kind)
	}
}

func one[T any](t *testing.T, doc []byte, _ []T) T {
	t.Helper()
	var out T
	read(t, doc, &out)
	return out
}

func read(t *testing.T, doc []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(doc, into); err != nil {
		t.Fatalf("%v in:\n%s", err, doc)
	}
}

// TestNothingKnown: a Stack that no controller has looked at must not be shown as if all were well.
func TestNothingKnown(t *testing.T) {
	text := view.Tree(view.Stack(view.Input{Now: now}), view.Look{})
	if !strings.Contains(text, "the controller has not looked at this Stack yet") {
		t.Errorf("a Stack without status is shown as:\n%s", text)
	}
}
