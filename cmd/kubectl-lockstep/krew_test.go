package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

// plugin is what krew reads of a manifest.
type plugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string     `json:"version"`
		Homepage         string     `json:"homepage"`
		ShortDescription string     `json:"shortDescription"`
		Description      string     `json:"description"`
		Caveats          string     `json:"caveats"`
		Platforms        []platform `json:"platforms"`
	} `json:"spec"`
}

type platform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	Sha256 string `json:"sha256"`
	Bin    string `json:"bin"`
	Files  []file `json:"files"`
}

type file struct {
	From string `json:"from"`
	To   string `json:"to"`
}

const root = "../.."

// released fills the template in as a release does.
func released(t *testing.T, tag string) plugin {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, ".krew.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fill := template.Must(template.New("krew").Funcs(template.FuncMap{"addURIAndSha": func(uri, tag string) string {
		uri = strings.ReplaceAll(uri, "{{ .TagName }}", tag)
		return "uri: " + uri + "\n    sha256: " + strings.Repeat("a", 64)
	}}).Parse(string(raw)))
	if err := fill.Execute(&out, map[string]string{"TagName": tag}); err != nil {
		t.Fatal(err)
	}
	var p plugin
	if err := yaml.UnmarshalStrict(out.Bytes(), &p); err != nil {
		t.Fatalf("%v in:\n%s", err, out.String())
	}
	return p
}

// TestKrew holds the manifest to what krew asks of one, and to what hack/dist builds.
func TestKrew(t *testing.T) {
	p := released(t, "v1.2.3")
	if p.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || p.Kind != "Plugin" {
		t.Errorf("it is a %s of %s", p.Kind, p.APIVersion)
	}
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if got := "kubectl-" + p.Metadata.Name; got != filepath.Base(folder) {
		t.Errorf("kubectl %s runs %s, and the binary is %s", p.Metadata.Name, got, filepath.Base(folder))
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(p.Spec.Version) {
		t.Errorf("version %s is none that krew takes", p.Spec.Version)
	}
	short := p.Spec.ShortDescription
	if short == "" || len(short) > 50 || strings.HasSuffix(short, ".") || p.Spec.Description == "" || !strings.HasPrefix(p.Spec.Homepage, "https://") {
		t.Errorf("krew asks for a short description of 50 characters at most without a full stop, a description and a homepage: %q", short)
	}
	for _, where := range p.Spec.Platforms {
		checkPlatform(t, where, filepath.Base(folder))
	}
}

func checkPlatform(t *testing.T, p platform, binary string) {
	t.Helper()
	system, arch := p.Selector.MatchLabels["os"], p.Selector.MatchLabels["arch"]
	if system == "windows" {
		binary += ".exe"
	}
	if p.Bin != binary || !slices.ContainsFunc(p.Files, func(f file) bool { return f.From == binary }) {
		t.Errorf("%s/%s: it runs %s of %v, and %s is built", system, arch, p.Bin, p.Files, binary)
	}
	if want := "/v1.2.3/kubectl-lockstep_v1.2.3_" + system + "_" + arch + ".tar.gz"; !strings.HasSuffix(p.URI, want) {
		t.Errorf("%s does not end in %s, which hack/dist builds", p.URI, want)
	}
	if p.Sha256 == "" {
		t.Errorf("%s/%s has no checksum", system, arch)
	}
}

// TestKrewPlatforms: what the manifest offers is what is built.
func TestKrewPlatforms(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, "hack", "dist"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`\$\{PLATFORMS:-([^}]*)\}`).FindSubmatch(script)
	if m == nil {
		t.Fatal("hack/dist names no platforms")
	}
	var offered []string
	for _, p := range released(t, "v1.2.3").Spec.Platforms {
		offered = append(offered, p.Selector.MatchLabels["os"]+"/"+p.Selector.MatchLabels["arch"])
	}
	if built := strings.Fields(string(m[1])); !slices.Equal(built, offered) {
		t.Errorf("%v are built, and %v are offered", built, offered)
	}
}
