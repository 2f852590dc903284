package render

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestContentThatNamesAnotherSlot renders a ConfigMap for blue and green; in blue the namespace of green is foreign.
func TestContentThatNamesAnotherSlot(t *testing.T) {
	tests := map[string]struct {
		value   string
		refused bool
	}{
		"Service in another slot":        {"http://catalog.shop-green/items", true},
		"with a port":                    {"catalog.shop-green:8080", true},
		"by its whole name":              {"catalog.shop-green.svc.cluster.local", true},
		"in capitals":                    {"CATALOG.SHOP-GREEN.SVC", true},
		"at the end of a sentence":       {"see catalog.shop-green.", true},
		"in the middle of a text":        {"upstream:\n  host: catalog.shop-green\n  port: 80\n", true},
		"the namespace alone":            {"shop-green", true},
		"as a setting":                   {"client:\n  namespace: shop-green\n", true},
		"as a flag":                      {"--namespace=shop-green", true},
		"another domain":                 {"catalog.shop-green.example.com", false},
		"a longer label":                 {"catalog.shop-green-eu", false},
		"a label that ends with it":      {"catalog.eu-shop-green", false},
		"the slot's own":                 {"catalog.$(own)", false},
		"a file":                         {"/var/shop-green/data", false},
		"an image":                       {"registry.example.com/shop-green:1", false},
		"a sentence that tells of slots": {"we have shop-blue and shop-green now", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := checkoutOf(t, "-- c/Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- c/templates/web.yaml --\n"+web+
				"-- c/templates/config.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  setting: "+quoted(test.value)+"\n")
			req := helmRequest(root, "c")
			_, err := renderAll(&req)
			if !test.refused {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantRefusal(t, err, v1alpha1.ReasonCrossSlotReference, "slot blue", "ConfigMap/x", "c/templates/config.yaml", "data.setting", "short names")
		})
	}
}

// quoted makes a YAML text; $(own) becomes the slot's own namespace.
func quoted(text string) string {
	text = strings.ReplaceAll(text, "\n", `\n`)
	return `"` + strings.ReplaceAll(text, "$(own)", "{{ .Release.Namespace }}") + `"`
}

func TestReferenceInAnEnvironmentVariable(t *testing.T) {
	withEnv := strings.ReplaceAll(web, "image: web:1", "image: web:1, env: [{name: A, value: a}, {name: NS, value: shop-green}]")
	req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+withEnv))
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonCrossSlotReference, "Deployment/web", "spec.template.spec.containers[0].env[1].value", `"shop-green"`)
}

// What a Secret holds is not told in a status.
func TestReferenceInASecret(t *testing.T) {
	const url = "postgres://admin:hunter2@db.shop-green/shop"
	const applied = `{"kind":"Secret","metadata":{"name":"x","namespace":"shop-green"},"stringData":{"password":"hunter2"}}`
	for at, fields := range map[string]string{
		"stringData.url": "metadata: {name: x}, stringData: {url: '" + url + "'}",
		"data.url":       "metadata: {name: x}, data: {url: " + base64.StdEncoding.EncodeToString([]byte(url)) + "}",
		"metadata.annotations.kubectl.kubernetes.io/last-applied-configuration": "metadata: {name: x, annotations: {kubectl.kubernetes.io/last-applied-configuration: '" + applied + "'}}",
	} {
		t.Run(at, func(t *testing.T) {
			req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+"-- s.yaml --\n{apiVersion: v1, kind: Secret, "+fields+"}\n"))
			_, err := renderAll(&req)
			wantRefusal(t, err, v1alpha1.ReasonCrossSlotReference, "Secret/x", at)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the Secret is told: %v", err)
			}
		})
	}
}

// An object may be named like a slot: a name is in the slot's own namespace.
func TestNamesAreNoReferences(t *testing.T) {
	named := strings.ReplaceAll(web, "{name: web}", "{name: shop-green}")
	must(t, plainRequest(checkoutOf(t, "-- web.yaml --\n"+named)))
}
