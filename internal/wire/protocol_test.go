package wire

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
)

func protocolPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestProtocolPageHasTheLimits(t *testing.T) {
	want := map[string]int{
		"MaxPayload": MaxPayload, "MaxAckFrom": MaxAckFrom, "MaxItems": MaxItems, "MaxItemDots": MaxItemDots,
		"MaxBatchDots": MaxBatchDots, "MaxRanges": MaxRanges, "MaxWants": MaxWants, "MaxSetRanges": MaxSetRanges,
		"MaxVectors": MaxVectors, "MaxHostName": MaxHostName, "MaxKeyIDs": MaxKeyIDs, "MaxState": MaxState,
		"MaxFragments": MaxFragments, "HelloSize": HelloSize, "MaxLoss": MaxLoss, "MaxIntroduced": MaxIntroduced, "MaxOfferOrigin": MaxOfferOrigin,
		"MinFingerprints": MinFingerprints, "MaxFingerprints": MaxFingerprints, "ChunkTarget": ChunkTarget, "MaxChunkItems": MaxChunkItems,
		"MaxLookup": MaxLookup, "MaxStreamBody": MaxStreamBody,
		"record.Databases": record.Databases, "record.MaxName": record.MaxName, "record.MaxValue": record.MaxValue,
		"record.MaxOwner": record.MaxOwner, "record.MaxBirths": record.MaxBirths,
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Za-z.]+)` \\| ([0-9,]+) \\|")
	for _, m := range row.FindAllStringSubmatch(protocolPage(t), -1) {
		have, err := strconv.Atoi(strings.ReplaceAll(m[2], ",", ""))
		value, known := want[m[1]]
		if err != nil || known && have != value {
			t.Errorf("%s is %d, the page says %s", m[1], value, m[2])
		}
		delete(want, m[1])
	}
	for name := range want {
		t.Errorf("the page lacks %s", name)
	}
}

func TestProtocolPageHasTheMessages(t *testing.T) {
	page := protocolPage(t)
	for typ := TypeData; typ.Valid(); typ++ {
		if row := fmt.Sprintf("\n| %d | %v | ", uint8(typ), typ); !strings.Contains(page, row) {
			t.Errorf("the message table lacks %q", row)
		}
	}
	for typ := StreamTypePull; typ.Valid(); typ++ {
		if row := fmt.Sprintf("\n| %d | %v | ", uint8(typ), typ); !strings.Contains(page, row) {
			t.Errorf("the stream's table lacks %q", row)
		}
	}
}

// A link to a heading that is not there is a promise broken in the first minute of reading.
func TestProtocolPageLinksLead(t *testing.T) {
	page := protocolPage(t)
	anchors := map[string]bool{}
	drop := regexp.MustCompile("[^a-z0-9 -]")
	for _, m := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllStringSubmatch(page, -1) {
		anchors[strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !anchors[m[1]] {
			t.Errorf("no heading for #%s", m[1])
		}
	}
}
