package status

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// configV2 returns the configuration of a job in the words of the second version, nil before its start. A file is used if the start
// promised it or, in the first version, found it.
func configV2(j job.Job) *pb.JobConfig {
	if j.Start == nil {
		return nil
	}
	config, err := option.Decode(j.Start.Config)
	if err != nil {
		return nil // written by a newer version; the rest of the answer is known
	}
	answer := &pb.JobConfig{}
	m := answer.ProtoReflect()
	fields := m.Descriptor().Fields()
	for _, o := range option.Table() {
		if field := fields.ByName(protoreflect.Name(o.Name)); field != nil {
			m.Set(field, fieldValue(field, o.Get(config)))
		}
	}
	for _, u := range upload.Table() {
		if field := fields.ByName(protoreflect.Name(u.Use)); field != nil {
			_, found := j.Input(u.Kind)
			m.Set(field, protoreflect.ValueOfBool(config.Use[u.Kind] || found))
		}
	}
	return answer
}

// fieldValue returns the value of an option as a field of a JobConfig has it. A test holds that no other kinds of fields exist.
func fieldValue(field protoreflect.FieldDescriptor, v option.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(v.On)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(v.Number)) //nolint:gosec // a start took it from such a field
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(v.Number)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(pb.Value[pb.DermType](v.Text).Number())
	}
	return protoreflect.ValueOfString(v.Text)
}
