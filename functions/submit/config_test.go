package submit

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pbv1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	pbv2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// Each field of a JobConfig belongs to one row of the tables and has its kind, and each name in the tables is a field. A new
// option of the second version is a field and a row: a field without a row, or a row without a field, fails here.
func TestTablesMatchMessages(t *testing.T) {
	t.Parallel()
	kinds := map[option.Kind][]protoreflect.Kind{
		option.Text: {protoreflect.StringKind, protoreflect.EnumKind}, option.Number: {protoreflect.Int32Kind, protoreflect.Int64Kind},
		option.Switch: {protoreflect.BoolKind}, option.Step: {protoreflect.BoolKind},
	}
	for version, wire := range map[string]wire{"v1": wireV1(), "v2": wireV2()} {
		message := protoreflect.ProtoMessage((*pbv1.JobConfig)(nil))
		if version == "v2" {
			message = (*pbv2.JobConfig)(nil)
		}
		fields := message.ProtoReflect().Descriptor().Fields()
		taken := make(map[string]bool)
		check := func(row, name string, allowed []protoreflect.Kind) {
			field := fields.ByName(protoreflect.Name(name))
			switch {
			case name == "":
			case field == nil:
				t.Errorf("%s: %s has the field %q, which the message does not have", version, row, name)
			case taken[name]:
				t.Errorf("%s: two rows have the field %q", version, name)
			default:
				fits := false
				for _, k := range allowed {
					fits = fits || field.Kind() == k
				}
				if !fits {
					t.Errorf("%s: the field %q is of the kind %s", version, name, field.Kind())
				}
			}
			taken[name] = true
		}
		for _, o := range option.Table() {
			check(o.Name, wire.option(o), kinds[o.Kind])
			if field := fields.ByName(protoreflect.Name(wire.option(o))); field != nil && field.Kind() == protoreflect.EnumKind {
				for i := range field.Enum().Values().Len() {
					v := field.Enum().Values().Get(i)
					var c option.Config
					o.Set(&c, value(field, protoreflect.ValueOfEnum(v.Number())))
					if err := c.Check().Err(); err != nil {
						t.Errorf("%s: %s: the value %s is not a choice: %v", version, o.Name, v.Name(), err)
					}
				}
			}
		}
		for _, u := range upload.Table() {
			check(u.Kind, wire.use(u), []protoreflect.Kind{protoreflect.BoolKind})
		}
		for i := range fields.Len() {
			if name := string(fields.Get(i).Name()); !taken[name] {
				t.Errorf("%s: the field %q has no row", version, name)
			}
		}
	}
	links := (*pbv1.InitJobResponse)(nil).ProtoReflect().Descriptor().Fields()
	for _, u := range upload.Table() {
		if u.LinkV1 != "" && links.ByName(protoreflect.Name(u.LinkV1)) == nil {
			t.Errorf("%s has the link %q, which the answer does not have", u.Kind, u.LinkV1)
		}
		if u.UseV1 != "" && u.LinkV1 == "" {
			t.Errorf("%s can be promised and not uploaded", u.Kind)
		}
	}
}

// TestNeed: which uploads a start uses, and what it does without them.
func TestNeed(t *testing.T) {
	t.Parallel()
	w, _ := workflow.Lookup(workflow.Bakta)
	yes, no := map[string]bool{}, map[string]bool{}
	for _, u := range w.Uploads {
		yes[u.Kind], no[u.Kind] = true, false
	}
	for _, u := range w.Uploads {
		hasLink := u.LinkV1 != ""
		for _, tt := range []struct {
			api  int
			use  map[string]bool
			want need
		}{
			{1, nil, optional}, {1, yes, promised}, {1, no, unused}, {2, nil, optional}, {2, yes, promised}, {2, no, unused},
		} {
			want := tt.want
			switch {
			case u.Required:
				want = required
			case tt.api == 1 && !hasLink:
				want = unused
			}
			if got := needOf(u, tt.api, tt.use); got != want {
				t.Errorf("%s by version %d with %v: %d, want %d", u.Kind, tt.api, tt.use[u.Kind], got, want)
			}
		}
		for _, tt := range []struct {
			need    need
			blank   bool
			refused bool
		}{
			{unused, false, false}, {unused, true, false}, {optional, false, false}, {optional, true, false},
			{promised, false, true}, {promised, true, !u.BlankIsNone}, {required, false, true}, {required, true, true},
		} {
			err := tt.need.without(u.Upload, tt.blank)
			if (err != nil) != tt.refused || err != nil && !job.Is(err, job.Invalid) {
				t.Errorf("%s, need %d, blank %t: %v", u.Kind, tt.need, tt.blank, err)
			}
		}
	}
}
