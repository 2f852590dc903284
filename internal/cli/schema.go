package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/lockstep-dev/lockstep/config"
)

// crdOfStacks is the name of the definition of Stacks.
const crdOfStacks = "stacks.lockstep.dev"

// definition judges a Stack as the API server would, without one.
type definition struct {
	structural *structural.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

func loadSchema() (*definition, error) {
	objects, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.GetName() != crdOfStacks {
			continue
		}
		crd, err := crdOf(o)
		if err != nil {
			return nil, err
		}
		return newSchema(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	}
	return nil, errors.New("the definition of Stacks is missing from this build")
}

func crdOf(o *unstructured.Unstructured) (*apiextensionsv1.CustomResourceDefinition, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, crd); err != nil {
		return nil, fmt.Errorf("the definition of %s in this build is broken: %w", o.GetName(), err)
	}
	return crd, nil
}

func newSchema(props *apiextensionsv1.JSONSchemaProps) (*definition, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil); err != nil {
		return nil, fmt.Errorf("convert the definition of Stacks: %w", err)
	}
	s, err := structural.NewStructural(internal)
	if err != nil {
		return nil, fmt.Errorf("read the definition of Stacks: %w", err)
	}
	openAPI, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, fmt.Errorf("read the definition of Stacks: %w", err)
	}
	return &definition{structural: s, openAPI: openAPI, rules: cel.NewValidator(s, true, celconfig.PerCallLimit)}, nil
}

// judge fills in the defaults of a Stack and returns what is wrong with it.
func (s *definition) judge(ctx context.Context, obj map[string]any) []string {
	var found []string
	for _, path := range pruning.PruneWithOptions(obj, s.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		found = append(found, unknownField(path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, s.structural)
	defaulting.Default(obj, s.structural)
	errs := validation.ValidateCustomResource(nil, obj, s.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, obj)...)
	if len(errs) == 0 {
		broken, _ := s.rules.Validate(ctx, nil, s.structural, obj, nil, celconfig.RuntimeCELCostBudget)
		errs = broken
	}
	return append(found, sentences(errs)...)
}

// unknownField knows the trap of YAML 1.1, which kubectl reads too: a bare on is a boolean, and no name.
func unknownField(path string) string {
	if before, is := strings.CutSuffix(path, ".true"); is {
		return fmt.Sprintf(`%s: YAML reads a bare on as the boolean true, and there is no such field; in start it is called when`, before)
	}
	return path + ": there is no such field; remove it, or look for a slip of the pen"
}

func sentences(errs field.ErrorList) []string {
	var out []string
	for _, e := range errs {
		detail := strings.TrimPrefix(e.Detail, e.Field+" in body ")
		if (e.Type == field.ErrorTypeInvalid || e.Type == field.ErrorTypeTypeInvalid) && detail != "" {
			out = append(out, e.Field+": "+detail)
			continue
		}
		out = append(out, e.Error())
	}
	slices.Sort(out)
	return out
}
