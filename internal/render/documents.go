package render

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// object is a rendered object that knows where it comes from.
type object struct {
	*unstructured.Unstructured
	from string
}

// ref names the object for people.
func (o object) ref() string { return o.GetKind() + "/" + o.GetName() }

// String names the object, and the file that it comes from.
func (o object) String() string { return fmt.Sprintf("%s (%s)", o.ref(), o.from) }

var documentEnd = regexp.MustCompile(`(?m)^\.\.\.[ \t\r]*$`)

// documents reads the objects of a file of YAML documents, lists expanded.
func documents(file string, content []byte) ([]object, error) {
	// The reader knows no "...", after which the parser would stop in silence, and drops a last line that is not ended
	// where it fills its buffer exactly.
	content = append(documentEnd.ReplaceAll(content, []byte("---")), '\n')
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var result []object
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		from := file
		if number > 1 {
			from = fmt.Sprintf("%s, document %d", file, number)
		}
		if err != nil {
			return nil, notObject(from, err.Error())
		}
		objects, err := parse(from, document)
		if err != nil {
			return nil, err
		}
		result = append(result, objects...)
	}
}

func parse(from string, document []byte) ([]object, error) {
	encoded, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, notObject(from, "it is not valid YAML: "+err.Error())
	}
	var content any
	if err := utiljson.Unmarshal(encoded, &content); err != nil {
		return nil, notObject(from, err.Error())
	}
	if content == nil {
		return nil, nil
	}
	fields, ok := content.(map[string]any)
	if !ok {
		return nil, notObject(from, fmt.Sprintf("it holds %s", kindOfValue(content)))
	}
	return expand(from, fields)
}

// expand turns a list into its items.
func expand(from string, fields map[string]any) ([]object, error) {
	list := &unstructured.Unstructured{Object: fields}
	if !strings.HasSuffix(list.GetKind(), "List") || !list.IsList() {
		return one(from, list)
	}
	var result []object
	for i, item := range fields["items"].([]any) {
		from := fmt.Sprintf("%s, item %d", from, i+1)
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, notObject(from, fmt.Sprintf("it is %s", kindOfValue(item)))
		}
		inherit(list, fields)
		objects, err := expand(from, fields)
		if err != nil {
			return nil, err
		}
		result = append(result, objects...)
	}
	return result, nil
}

// inherit gives an item of a typed list, such as a ConfigMapList, the kind that only the list says.
func inherit(list *unstructured.Unstructured, item map[string]any) {
	kind := strings.TrimSuffix(list.GetKind(), "List")
	if kind == "" || item["kind"] != nil {
		return
	}
	item["kind"], item["apiVersion"] = kind, list.GetAPIVersion()
}

func one(from string, u *unstructured.Unstructured) ([]object, error) {
	o := object{u, from}
	if err := wellFormed(o); err != nil {
		return nil, err
	}
	return []object{o}, nil
}

func notObject(from, why string) error {
	return refuse(v1alpha1.ReasonRenderFailed, "%s is not a Kubernetes object: %s; correct it, or move it out of the path", from, why)
}

func kindOfValue(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	}
	return "a number"
}
