package render

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// bomb is a few hundred bytes of YAML that stand for 9^9 texts.
func bomb() string {
	var b strings.Builder
	b.WriteString("a: &a [" + strings.Repeat("x,", 8) + "x]\n")
	for c := 'b'; c <= 'i'; c++ {
		fmt.Fprintf(&b, "%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	return b.String()
}

func TestYAMLBombs(t *testing.T) {
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n"
	app := func(kustomization string) string {
		return "-- app/kustomization.yaml --\n" + kustomization + "\n-- app/web.yaml --\n" + web
	}
	plain := func(root string) Request {
		req := plainRequest(root)
		req.Path = "app"
		return req
	}
	kustomize := func(root string) Request { return kustomizeRequest(root, "app", ".") }
	helm := func(root string) Request { return helmRequest(root, "app", "v.yaml") }
	for name, c := range map[string]struct {
		files   string
		request func(string) Request
	}{
		"a manifest":               {"-- app/bomb.yaml --\n" + object + bomb(), plain},
		"a template":               {umbrella(object+bomb()) + "-- app/v.yaml --\n", helm},
		"values":                   {umbrella("") + "-- app/v.yaml --\n" + bomb(), helm},
		"a template that reads it": {umbrella(`{{ $x := .Files.Get "bomb" | fromYaml }}{{ if $x.Error }}{{ fail $x.Error }}{{ end }}`) + "-- app/v.yaml --\n-- app/bomb --\n" + bomb(), helm},
		"Chart.yaml":               {"-- app/Chart.yaml --\napiVersion: v2\nname: app\nversion: 0.1.0\n" + bomb() + "-- app/v.yaml --\n", helm},
		"a kustomization":          {app("resources: [web.yaml]\n" + bomb()), kustomize},
		"a resource":               {app("resources: [web.yaml, bomb.yaml]") + "-- app/bomb.yaml --\n" + object + bomb(), kustomize},
		"a patch":                  {app("resources: [web.yaml]\npatches: [{path: bomb.yaml}]") + "-- app/bomb.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n" + bomb(), kustomize},
		"a configuration":          {app("resources: [web.yaml]\nconfigurations: [bomb.yaml]") + "-- app/bomb.yaml --\n" + bomb(), kustomize},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Run(t.Context(), c.request(checkoutOf(t, c.files)))
			runtime.ReadMemStats(&after)
			wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "alias")
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
				t.Errorf("this process took %d MiB for it", used>>20)
			}
		})
	}
}

// A chart of 100 MB is refused before it is loaded, whatever it is made of.
func TestHundredMegabytes(t *testing.T) {
	for name, c := range map[string]struct {
		files   string
		sizes   []int64
		request func(root string) Request
		says    string
	}{
		"one file of a chart":         {umbrella(""), []int64{100 << 20}, func(root string) Request { return helmRequest(root, "app") }, "app/templates/0"},
		"many files of a chart":       {umbrella(""), []int64{15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20}, func(root string) Request { return helmRequest(root, "app") }, "64 MiB"},
		"one file of a kustomization": {"-- app/kustomization.yaml --\nconfigMapGenerator: [{name: a, files: [templates/0]}]\n-- app/templates/x --\n", []int64{100 << 20}, func(root string) Request { return kustomizeRequest(root, "app", ".") }, "app/templates/0"},
		"many of a kustomization": {
			"-- app/kustomization.yaml --\nconfigMapGenerator: [{name: a, files: [templates/0, templates/1, templates/2, templates/3, templates/4, templates/5, templates/6]}]\n-- app/templates/x --\n",
			[]int64{15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20},
			func(root string) Request { return kustomizeRequest(root, "app", ".") }, "MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := checkoutOf(t, c.files)
			for i, size := range c.sizes {
				file := filepath.Join(root, "app", "templates", fmt.Sprint(i))
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(file, size); err != nil {
					t.Fatal(err)
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Run(t.Context(), c.request(root))
			runtime.ReadMemStats(&after)
			wantRefusal(t, err, v1alpha1.ReasonContentTooLarge, c.says)
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
				t.Errorf("this process took %d MiB for it", used>>20)
			}
		})
	}
}
