package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
)

// skew is how the kinds of the cluster differ from those that this command knows.
type skew struct {
	// Version of the command that installed them, where it is written there.
	Version string `json:"version,omitempty"`
	// Missing are fields that this command knows, and the cluster does not: it is older.
	Missing []string `json:"missing,omitempty"`
	// Unknown are fields that the cluster knows, and this command does not: the command is older.
	Unknown []string `json:"unknown,omitempty"`
}

func (s *skew) differs() bool { return len(s.Missing)+len(s.Unknown) > 0 }

func (s *skew) sentence(own string) string {
	there := "the kinds in the cluster"
	if s.Version != "" {
		there += " (" + s.Version + ")"
	}
	switch {
	case !s.differs():
		return v1alpha1.GroupVersion.String() + ", with the fields that this command knows"
	case len(s.Unknown) == 0:
		return fmt.Sprintf("this command (%s) is newer than %s, which lack %s; what it writes there is dropped by the API server: upgrade with kubectl lockstep install, or use the command of that version", own, there, some(s.Missing))
	case len(s.Missing) == 0:
		return fmt.Sprintf("this command (%s) is older than %s, which have %s as well; it neither shows nor writes them: use the command of that version", own, there, some(s.Unknown))
	}
	return fmt.Sprintf("this command (%s) and %s are of different versions: the cluster lacks %s, and the command %s; use the command of the cluster's version", own, there, some(s.Missing), some(s.Unknown))
}

// some names a few fields, and counts the rest.
func some(fields []string) string {
	const few = 3
	if len(fields) <= few {
		return strings.Join(fields, ", ")
	}
	return fmt.Sprintf("%s and %d more fields", strings.Join(fields[:few], ", "), len(fields)-few)
}

// skewWithin bounds what a command spends on looking for skew before it begins.
const skewWithin = 2 * time.Second

// warnOfSkew says on standard error that the command and the cluster are of different versions. What cannot be found out
// is not said: the command itself will tell.
func (a *app) warnOfSkew(cmd *cobra.Command) {
	offline := cmd.Flags().Lookup("filename")
	if (cmd.GroupID != groupRelease && cmd.GroupID != groupLook) || (offline != nil && offline.Changed) {
		return
	}
	c, err := a.cluster()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), skewWithin)
	defer cancel()
	if found, err := c.skew(ctx); err == nil && found.differs() {
		printf(a.ErrOut, "warning: %s\n", found.sentence(a.Version))
	}
}

// skew compares the kinds of the cluster with those of this build.
func (c *Cluster) skew(ctx context.Context) (*skew, error) {
	shipped, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	own, err := config.Schema()
	if err != nil {
		return nil, err
	}
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err = c.Get(ctx, client.ObjectKey{Name: crdOfStacks}, meta)
	if apierrors.IsForbidden(err) {
		return c.skewByUse(shipped)
	}
	if err != nil {
		return nil, err
	}
	found := &skew{Version: meta.Annotations[config.AnnotationVersion]}
	if meta.Annotations[config.AnnotationSchema] == own {
		return found, nil
	}
	return found, c.compareKinds(ctx, shipped, found)
}

func (c *Cluster) compareKinds(ctx context.Context, shipped []*unstructured.Unstructured, found *skew) error {
	for _, ours := range shipped {
		theirs := &unstructured.Unstructured{}
		theirs.SetGroupVersionKind(ours.GroupVersionKind())
		if err := c.Get(ctx, client.ObjectKeyFromObject(ours), theirs); err != nil {
			return err
		}
		found.add(kindOf(ours), schemaIn(ours), schemaIn(theirs))
	}
	return nil
}

// skewByUse is for those who may not read definitions: every user may read what the API server publishes of them.
func (c *Cluster) skewByUse(shipped []*unstructured.Unstructured) (*skew, error) {
	if c.Config == nil {
		return nil, errors.New("the kinds may not be read")
	}
	d, err := discovery.NewDiscoveryClientForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	paths, err := d.OpenAPIV3().Paths()
	if err != nil {
		return nil, err
	}
	published := paths["apis/"+v1alpha1.GroupVersion.String()]
	if published == nil {
		return nil, errors.New("the cluster does not know the kinds")
	}
	raw, err := published.Schema("application/json")
	if err != nil {
		return nil, err
	}
	return skewOfPublished(raw, shipped)
}

func skewOfPublished(raw []byte, shipped []*unstructured.Unstructured) (*skew, error) {
	var document struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("read what the cluster says of its kinds: %w", err)
	}
	found := &skew{}
	for _, ours := range shipped {
		for name, theirs := range document.Components.Schemas {
			if strings.HasSuffix(name, "."+v1alpha1.GroupVersion.Version+"."+kindOf(ours)) {
				found.add(kindOf(ours), schemaIn(ours), theirs)
			}
		}
	}
	return found, nil
}

func kindOf(crd *unstructured.Unstructured) string {
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return kind
}

// schemaIn is the schema of the first version.
func schemaIn(crd *unstructured.Unstructured) map[string]any {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if len(versions) == 0 {
		return nil
	}
	first, _ := versions[0].(map[string]any)
	schema, _, _ := unstructured.NestedMap(first, "schema", "openAPIV3Schema")
	return schema
}

func (s *skew) add(kind string, ours, theirs map[string]any) {
	a, b := map[string]bool{}, map[string]bool{}
	fieldPaths(kind, ours, a)
	fieldPaths(kind, theirs, b)
	s.Missing = append(s.Missing, onlyIn(a, b)...)
	s.Unknown = append(s.Unknown, onlyIn(b, a)...)
}

// onlyIn are the fields of a that b lacks; those below a field that is lacking are left out.
func onlyIn(a, b map[string]bool) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(a)) {
		parent := path[:strings.LastIndexByte(path, '.')]
		if !b[path] && (b[parent] || !strings.Contains(parent, ".")) {
			out = append(out, path)
		}
	}
	return out
}

// fieldPaths gathers the fields of a schema. What the API server knows of every object is left out, and so are the
// objects of any kind within a Stack, of which the definition says nothing and what is published something.
func fieldPaths(path string, schema map[string]any, into map[string]bool) {
	if embedded, _ := schema["x-kubernetes-embedded-resource"].(bool); embedded {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range properties {
		if !strings.Contains(path, ".") && slices.Contains([]string{"apiVersion", "kind", "metadata"}, name) {
			continue
		}
		into[path+"."+name] = true
		child, _ := value.(map[string]any)
		fieldPaths(path+"."+name, child, into)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if child, ok := schema[inner].(map[string]any); ok {
			fieldPaths(path, child, into)
		}
	}
}
