package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/controller"
	"github.com/lockstep-dev/lockstep/internal/render"
)

const root = ".."

// TestMain may be the child that renders.
func TestMain(m *testing.M) {
	render.MaybeChild()
	os.Exit(m.Run())
}

// TestReasons: whoever is on call finds every reason, and none that does not exist.
func TestReasons(t *testing.T) {
	text := read(t, "operations.md")
	told := map[string]int{}
	_, text, found := strings.Cut(text, "\n## Reasons\n")
	if !found {
		t.Fatal("operations.md has no section Reasons")
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|").FindAllStringSubmatch(text, -1) {
		told[m[1]]++
	}
	known := reasons(t)
	for _, r := range known {
		if told[r] != 1 {
			t.Errorf("reason %s is told of %d times in operations.md, want once", r, told[r])
		}
	}
	for r := range told {
		if !slices.Contains(known, r) {
			t.Errorf("operations.md tells of reason %s, which does not exist", r)
		}
	}
}

// reasons are the values of the constants Reason… in conditions.go.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("no reasons found")
	}
	return all
}

// TestReserved: what is said to be given by nothing is named nowhere in the code, and the rest is.
func TestReserved(t *testing.T) {
	_, reserved, found := strings.Cut(read(t, "operations.md"), "\n### Not given by this version\n")
	given := givenReasons(t)
	for name, value := range names(t) {
		is := found && strings.Contains(reserved, "| `"+value+"` |")
		if is && given[name] {
			t.Errorf("%s is given by the code; move it out of the reserved reasons", value)
		}
		if !is && !given[name] {
			t.Errorf("%s is given by nothing; list it with the reserved reasons, or remove it", value)
		}
	}
}

func names(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	raw := read(t, filepath.Join(root, "api", "v1alpha1", "conditions.go"))
	for _, m := range regexp.MustCompile(`(?m)^\s+(Reason\w+)\s+= "(\w+)"`).FindAllStringSubmatch(raw, -1) {
		all[m[1]] = m[2]
	}
	return all
}

func givenReasons(t *testing.T) map[string]bool {
	t.Helper()
	given := map[string]bool{}
	use := regexp.MustCompile(`v1alpha1\.(Reason\w+)`)
	goFiles(t, filepath.Join(root, "internal"), func(path, text string) {
		if strings.Contains(path, "testkit") || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, m := range use.FindAllStringSubmatch(text, -1) {
			given[m[1]] = true
		}
	})
	return given
}

// TestLinks: every link to a file or a heading of ours leads somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, path := range pages(t) {
		text := span.ReplaceAllString(fence.ReplaceAllString(read(t, path), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s: there is no heading for %s", path, m[1])
			}
		}
	}
}

// anchors are what GitHub makes of a page's headings.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(withoutCode(read(t, path)), -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

var fence = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")

var span = regexp.MustCompile("`([^`\n]+)`")

func withoutCode(text string) string {
	return span.ReplaceAllString(fence.ReplaceAllString(text, ""), "$1")
}

// code is what stands in blocks and between backticks, a line for each.
func code(text string) []string {
	var lines []string
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.SplitSeq(m[2], "\n") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// TestCommands: every command of the plugin that a page shows exists, with its flags.
func TestCommands(t *testing.T) {
	shown := regexp.MustCompile("^(?:.*&& )?kubectl lockstep ([a-z][^#]*)")
	for _, path := range pages(t) {
		for _, line := range code(read(t, path)) {
			if m := shown.FindStringSubmatch(line); m != nil {
				if err := parse(strings.Fields(m[1])); err != nil {
					t.Errorf("%s: %s: %v", path, line, err)
				}
			}
		}
	}
}

func parse(args []string) error {
	command, rest, err := newCommand(&bytes.Buffer{}).Find(args)
	if err != nil {
		return err
	}
	if !command.HasParent() {
		return fmt.Errorf("there is no command %s", args[0])
	}
	if err := command.ParseFlags(rest); err != nil {
		return err
	}
	return command.ValidateArgs(command.Flags().Args())
}

func newCommand(out *bytes.Buffer) *cobra.Command {
	o := cli.Defaults()
	o.IOStreams = genericclioptions.IOStreams{In: &bytes.Buffer{}, Out: out, ErrOut: out}
	return cli.New(o)
}

// TestStacks: every Stack that a page shows is one that the API server would take.
func TestStacks(t *testing.T) {
	seen := 0
	for _, path := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(read(t, path), -1) {
			if m[1] != "yaml" || !strings.Contains(m[2], "kind: Stack\n") {
				continue
			}
			seen++
			file := filepath.Join(t.TempDir(), "stack.yaml")
			if err := os.WriteFile(file, []byte(m[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			lint(t, path, file)
		}
	}
	if seen == 0 {
		t.Error("no Stack is shown anywhere")
	}
}

// TestCookbook: every Stack of the cookbook can be rendered, from the repository of the shop where it has no objects of its
// own.
func TestCookbook(t *testing.T) {
	for _, m := range fence.FindAllStringSubmatch(read(t, "cookbook.md"), -1) {
		if m[1] != "yaml" || !strings.Contains(m[2], "kind: Stack\n") {
			continue
		}
		file := filepath.Join(t.TempDir(), "stack.yaml")
		if err := os.WriteFile(file, []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		lint(t, "cookbook.md", file, "--checkout", filepath.Join(root, "examples", "shop", "repo"))
	}
}

// TestFragments: what a page shows of a Stack's spec is good, once the rest is put to it.
func TestFragments(t *testing.T) {
	seen := map[string]int{}
	for _, path := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(read(t, path), -1) {
			text := outdented(m[2])
			if m[1] != "yaml" || !begins.MatchString(text) {
				continue
			}
			seen[path]++
			lint(t, path, whole(t, text))
		}
	}
	if seen["entries.md"] < 2 {
		t.Errorf("entries.md shows %d lists of entries, want those of a made and of an adopted route", seen["entries.md"])
	}
}

// begins is how a part of a Stack's spec begins.
var begins = regexp.MustCompile(`^(source|start|slots|entries|members|sessions|strategy|queue|ignore|deadlines|suspend):`)

// outdented takes the indentation of the first line, as in a list, off all lines.
func outdented(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	return strings.ReplaceAll(strings.TrimPrefix(text, indent), "\n"+indent, "\n")
}

// whole is a file with a Stack around a part of its spec.
func whole(t *testing.T, part string) string {
	t.Helper()
	text := "apiVersion: lockstep.dev/v1alpha1\nkind: Stack\nmetadata: {name: shop, namespace: shop}\nspec:\n" +
		"  " + strings.ReplaceAll(part, "\n", "\n  ") + "\n"
	if !strings.Contains("\n"+part, "\nsource:") {
		text += "  source: {git: {url: \"https://git.example.com/shop.git\"}, plain: {}}\n"
	}
	if !strings.Contains("\n"+part, "\nentries:") {
		text += "  entries: [{name: web, httpRoute: {name: shop-web}, backend: {service: frontend, port: 80}}]\n"
	}
	file := filepath.Join(t.TempDir(), "stack.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func lint(t *testing.T, path, file string, flags ...string) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand(&out)
	command.SetArgs(append([]string{"lint", file}, flags...))
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Errorf("%s shows a Stack that is not good: %v\n%s", path, err, out.String())
	}
}

// TestTargets: every make target that a page names exists.
func TestTargets(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	for _, path := range pages(t) {
		for _, line := range code(read(t, path)) {
			for _, name := range targets(line) {
				if !strings.Contains(makefile, "\n"+name+":") {
					t.Errorf("%s: there is no target %s", path, name)
				}
			}
		}
	}
}

// targets of a line that begins with make.
func targets(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "make" {
		return nil
	}
	return slices.DeleteFunc(words[1:], func(word string) bool { return strings.Contains(word, "=") })
}

// TestDependencies: each module that our code imports has its reason, and none is listed that is not imported.
func TestDependencies(t *testing.T) {
	page, _, _ := strings.Cut(read(t, "dependencies.md"), "\n## hack\n")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(page, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			listed[strings.Trim(name, "`")] = true
		}
	}
	used := usedModules(t)
	for name := range used {
		if !listed[name] {
			t.Errorf("%s is imported, and dependencies.md does not say why", name)
		}
	}
	for name := range listed {
		if !used[name] {
			t.Errorf("dependencies.md lists %s, which nothing imports", name)
		}
	}
}

// usedModules are the modules of go.mod that our packages import.
func usedModules(t *testing.T) map[string]bool {
	t.Helper()
	var modules []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v`).FindAllStringSubmatch(read(t, filepath.Join(root, "go.mod")), -1) {
		modules = append(modules, m[1])
	}
	used := map[string]bool{}
	goFiles(t, root, func(path, text string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if name := moduleOf(strings.Trim(spec.Path.Value, `"`), modules); name != "" {
				used[name] = true
			}
		}
	})
	return used
}

func moduleOf(path string, modules []string) string {
	longest := ""
	for _, m := range modules {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

// TestMetrics: every metric has its row in metrics.md, with its labels, and no row is of one that does not exist; alerts
// use none that does not exist either.
func TestMetrics(t *testing.T) {
	page := read(t, "metrics.md")
	known := map[string]string{}
	described := regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	for _, collector := range controller.Metrics() {
		descriptions := make(chan *prometheus.Desc, 1)
		collector.Describe(descriptions)
		m := described.FindStringSubmatch((<-descriptions).String())
		known[m[1]] = "`" + strings.ReplaceAll(m[2], ",", "`, `") + "`"
	}
	told := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(lockstep_[a-z_]+)` \\| [a-z]+ \\| ([^|]*) \\|").FindAllStringSubmatch(page, -1) {
		told[m[1]] = m[2]
	}
	if diff := cmp.Diff(known, told); diff != "" {
		t.Errorf("metrics and their labels (-code +metrics.md):\n%s", diff)
	}
	for _, name := range regexp.MustCompile(`lockstep_[a-z_]+`).FindAllString(page, -1) {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
		if known[base] == "" {
			t.Errorf("metrics.md names %s, which does not exist", name)
		}
	}
}

// TestLeader: the alert asks for our own Lease, since other controllers have leaders, too; and every controller is told of.
func TestLeader(t *testing.T) {
	page := read(t, "metrics.md")
	if alert := `absent(leader_election_master_status{name="` + controller.LeaderElectionID + `"} == 1)`; !strings.Contains(page, alert) {
		t.Errorf("metrics.md has no alert with %s", alert)
	}
	_, said, _ := strings.Cut(page, "Their label `controller` is ")
	said, _, _ = strings.Cut(said, ";")
	named := regexp.MustCompile(`\bNamed\("(\w+)"\)`)
	goFiles(t, filepath.Join(root, "internal", "controller"), func(_, text string) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(said, "`"+m[1]+"`") {
				t.Errorf("metrics.md does not say that the label controller may be %s", m[1])
			}
		}
	})
}

// TestSelectors: every label of ours that a command selects by exists.
func TestSelectors(t *testing.T) {
	known := map[string]bool{}
	names := read(t, filepath.Join(root, "api", "v1alpha1", "names.go"))
	for _, m := range regexp.MustCompile(`(?m)^\s+Label\w+\s+= "(\S+)"`).FindAllStringSubmatch(names, -1) {
		known[m[1]] = true
	}
	for _, path := range pages(t) {
		for _, line := range code(read(t, path)) {
			for _, label := range selected(line) {
				if strings.HasPrefix(label, "lockstep.dev/") && !known[label] {
					t.Errorf("%s: %s selects by %s, which is no label of ours", path, line, label)
				}
			}
		}
	}
}

// selected are the labels that a command selects by, or shows.
func selected(line string) []string {
	var all []string
	for _, m := range regexp.MustCompile(` (?:-l|-L|--selector)[ =](\S+)`).FindAllStringSubmatch(line, -1) {
		for part := range strings.SplitSeq(m[1], ",") {
			label, _, _ := strings.Cut(part, "=")
			all = append(all, label)
		}
	}
	return all
}

// pages are the pages of the documentation.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")}
	for _, pattern := range []string{"*.md", "adr/*.md", "howto/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// goFiles visits the Go files of this module below dir.
func goFiles(t *testing.T, dir string, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && otherModule(path, d.Name()):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			visit(path, read(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func otherModule(path, name string) bool {
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil || strings.HasPrefix(name, ".") || name == "build"
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
