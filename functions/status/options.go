package status

import (
	"context"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// optionKinds are the kinds of options in the words of the API.
var optionKinds = map[option.Kind]pb.OptionKind{
	option.Text:   pb.OptionKind_OPTION_KIND_TEXT,
	option.Number: pb.OptionKind_OPTION_KIND_NUMBER,
	option.Switch: pb.OptionKind_OPTION_KIND_SWITCH,
	option.Step:   pb.OptionKind_OPTION_KIND_STEP,
}

// Options lists the options of a start, and the uploads of the workflows that are offered.
func (v V2) Options(context.Context, *pb.OptionsRequest) (*pb.OptionsResponse, error) {
	answer := &pb.OptionsResponse{Notify: &pb.NotifyOffer{Webhook: v.f.deps.Notify.Webhook, Email: v.f.deps.Notify.Email}}
	for _, o := range option.Table() {
		row := &pb.Option{
			Name: o.Name, Kind: optionKinds[o.Kind], Help: plain(o.Help), Rule: plain(o.Rule), Pattern: o.Pattern,
			DefaultValue: o.Default, Flag: o.Flag,
		}
		for _, choice := range o.Choices {
			row.Choices = append(row.Choices, choice.Value)
		}
		for _, w := range v.f.deps.Offered {
			if w.HasOptions() {
				row.WorkflowKinds = append(row.WorkflowKinds, pb.Value[pb.WorkflowKind](w.Kind))
			}
		}
		answer.Options = append(answer.Options, row)
	}
	offered := make(map[string]bool)
	for _, w := range v.f.deps.Offered {
		for _, u := range w.Uploads {
			offered[u.Kind] = true
		}
	}
	for _, u := range upload.Table() {
		if !offered[u.Kind] {
			continue
		}
		size := u.MaxSize
		if limit, ok := v.f.deps.MaxSizes[u.Kind]; ok {
			size = min(size, limit)
		}
		answer.Uploads = append(answer.Uploads, &pb.UploadRule{
			UploadKind: pb.Value[pb.UploadKind](u.Kind), Label: u.Label, Help: plain(u.Help), Rule: plain(u.Rule), Use: u.Use, MaxSize: size,
		})
	}
	return answer, nil
}

// plain returns a line of the tables without the marks of words in it.
func plain(line string) string { return strings.ReplaceAll(line, "`", "") }
