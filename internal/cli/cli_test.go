package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/render"
)

var update = flag.Bool("update", false, "write what is seen into the golden files")

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestMain may be the child that renders.
func TestMain(m *testing.M) {
	render.MaybeChild()
	cli.Silence()
	os.Exit(m.Run())
}

// TestTranscripts runs every transcript of testdata: the objects of a cluster (a scenario of package view, and *.yaml on
// top of it), what the controller does once something is made (after.yaml), the commands (run), and what is printed.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { replay(t, file) })
	}
}

func replay(t *testing.T, file string) {
	file, scenarios := absolute(t, file), absolute(t, "../view/testdata")
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := transcript{t: t, files: map[string][]byte{}, scenarios: scenarios}
	for _, f := range archive.Files {
		tr.files[f.Name] = f.Data
	}
	tr.fillDisk()
	got := tr.play()
	for i, f := range archive.Files {
		if f.Name != "said" {
			continue
		}
		if *update {
			archive.Files[i].Data = []byte(got)
		} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
			t.Errorf("what was said differs (-want +got); go test ./internal/cli -update writes it anew:\n%s", diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// transcript is one run of commands against one cluster.
type transcript struct {
	t         *testing.T
	files     map[string][]byte
	scenarios string
}

// fillDisk lays the files of disk/ into a folder of the test, and goes there.
func (tr transcript) fillDisk() {
	dir := tr.t.TempDir()
	for name, data := range tr.files {
		name, onDisk := strings.CutPrefix(name, "disk/")
		if !onDisk {
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tr.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			tr.t.Fatal(err)
		}
	}
	tr.t.Chdir(dir)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func (tr transcript) play() string {
	w := newWorld(tr.t, tr.objects(), documents(tr.t, tr.files["after.yaml"]))
	for verb := range strings.FieldsSeq(string(tr.files["denied"])) {
		w.denied[verb] = true
	}
	for name, data := range tr.files {
		if container, is := strings.CutPrefix(name, "logs/"); is {
			w.logs[container] = string(data)
		}
	}
	var said strings.Builder
	for line := range strings.Lines(string(tr.files["run"])) {
		said.WriteString(tr.command(w, strings.Fields(line)))
		for _, address := range w.browsed {
			said.WriteString("(a browser opens " + address + ")\n")
		}
		w.browsed = nil
	}
	return said.String()
}

func (tr transcript) objects() []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	if scenario := strings.TrimSpace(string(tr.files["scenario"])); scenario != "" {
		archive, err := txtar.ParseFile(filepath.Join(tr.scenarios, scenario+".txtar"))
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".yaml") {
				all = append(all, documents(tr.t, f.Data)...)
			}
		}
	}
	return append(all, documents(tr.t, tr.files["cluster.yaml"])...)
}

// command runs one line and writes down the exit code and both streams.
func (tr transcript) command(w *world, args []string) string {
	tr.t.Helper()
	var out, errOut bytes.Buffer
	clock := clocktesting.NewFakeClock(now)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if strings.TrimSpace(string(tr.files["time"])) == "passes" {
		go passTime(ctx, clock)
	}
	options := w.options(clock, genericclioptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	root := cli.New(options)
	root.SetArgs(args)
	code := cli.Run(ctx, root)
	return fmt.Sprintf("$ kubectl lockstep %s\n%s%s[exit %d]\n", strings.Join(args, " "), out.String(), prefixed("err: ", errOut.String()), code)
}

// passTime lets an hour go by whenever a command waits.
func passTime(ctx context.Context, clock *clocktesting.FakeClock) {
	for ctx.Err() == nil {
		time.Sleep(500 * time.Millisecond) // the first look is at the beginning
		if clock.HasWaiters() {
			clock.Step(time.Hour)
		}
	}
}

func prefixed(prefix, text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(prefix + line)
	}
	return out.String()
}

func documents(t *testing.T, data []byte) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &u.Object); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}
