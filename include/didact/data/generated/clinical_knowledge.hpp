#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

/// What the clinical case study knows: symptoms with their wordings, and diseases with the symptoms that they may have.
/// It is written for the study, so that labels follow from texts by a rule; it is no medical reference.
namespace didact::clinical {

/// One bit a symptom.
using SymptomSet = std::uint64_t;

/// The wordings of a symptom, separated by '|', each a noun phrase. `notes` are the short forms of triage notes, which
/// only the later period uses. `{my}` is the patient's pronoun, `{limb}` a part of the body.
struct Symptom {
    std::string_view name;
    std::string_view lay, medical, notes;
    bool graded = true; ///< "mild", "severe" may stand before it
};

// clang-format off
inline constexpr std::array symptoms = {
    Symptom{"fever", "a fever|a high temperature|a burning forehead", "fever|pyrexia|elevated temperature", "temp 39|febrile episodes", false},
    Symptom{"cough", "a cough|a hacking cough|coughing fits", "cough|persistent cough", "coughing|cgh"},
    Symptom{"chills", "chills|shivering|the shakes", "rigors|chills", "shivers|chills + shakes"},
    Symptom{"headache", "a headache|a pounding head|head pain", "headache|cephalgia", "HA|h/a"},
    Symptom{"fatigue", "tiredness|no energy left|exhaustion", "fatigue|lethargy", "low energy|tired all day", false},
    Symptom{"sore throat", "a sore throat|a scratchy throat|pain when I swallow", "pharyngitis symptoms|odynophagia|sore throat", "ST|throat pain"},
    Symptom{"loss of appetite", "a loss of appetite|a poor appetite|little interest in food", "anorexia|decreased appetite", "not eating|appetite down", false},
    Symptom{"runny nose", "a runny nose|a dripping nose|a stuffy nose", "rhinorrhea|nasal discharge", "nasal drip|RN"},
    Symptom{"sweating", "night sweats|sweating|drenched sheets", "diaphoresis|night sweats", "sweats|NS"},
    Symptom{"muscle aches", "muscle aches|aching muscles|sore {limb}", "myalgia|diffuse myalgias", "body aches|achy all over"},
    Symptom{"sneezing", "sneezing|sneezing fits|constant sneezes", "sneezing|paroxysmal sneezing", "sneezes|sneezy spells"},
    Symptom{"itchy eyes", "itchy eyes|watery eyes|red itching eyes", "ocular pruritus|conjunctival itching", "eyes itch|eye itch"},
    Symptom{"facial pressure", "pressure in {my} face|a heavy feeling behind {my} cheeks", "facial pressure|sinus tenderness", "sinus pressure|face pain"},
    Symptom{"shortness of breath", "shortness of breath|trouble breathing|breathlessness", "dyspnea|dyspnea on exertion", "SOB|DOE"},
    Symptom{"wheezing", "wheezing|a whistling chest|whistling breaths", "wheezing|expiratory wheeze", "wheezy chest|wheeze"},
    Symptom{"chest pain", "chest pain|a tight chest|pain in {my} chest", "chest pain|thoracic pain", "CP|chest tightness"},
    Symptom{"vomiting", "vomiting|throwing up|puking", "emesis|vomiting", "vomited twice|emesis x2", false},
    Symptom{"nausea", "nausea|a queasy stomach|an upset stomach", "nausea|persistent nausea", "queasiness|naus"},
    Symptom{"diarrhea", "diarrhea|loose stools|watery stools", "diarrhea|frequent loose stools", "watery BM|the runs"},
    Symptom{"stomach pain", "a burning stomach ache|a gnawing stomach|burning pain in {my} stomach", "epigastric pain|epigastric burning", "epi pain|gnawing epigastrium"},
    Symptom{"abdominal cramps", "stomach cramps|belly cramps", "abdominal cramping|colicky cramps", "abd cramps|crampy abd"},
    Symptom{"right lower abdominal pain", "pain low on the right side of {my} belly|a sharp pain in {my} lower right belly", "right lower quadrant pain|right iliac fossa tenderness", "RLQ pain|RLQ tenderness"},
    Symptom{"bloating", "bloating|a swollen belly|a gassy belly", "abdominal distension|bloating", "bloated abd|gassy"},
    Symptom{"heartburn", "heartburn|acid coming up|a sour taste after meals", "pyrosis|acid regurgitation", "acid reflux sx|HB"},
    Symptom{"black stools", "black stools|tarry stools", "melena|melenic stools", "dark tarry BM|black BM", false},
    Symptom{"light sensitivity", "pain from bright light|sensitivity to light", "photophobia|light sensitivity", "light bothers eyes|photophob", false},
    Symptom{"visual aura", "zigzag lines before {my} eyes|flashing lights|flickering spots", "visual aura|scintillating scotoma", "sees zigzags|aura", false},
    Symptom{"dizziness", "dizziness|dizzy spells|light-headedness", "vertigo|dizziness", "dizzy|lightheaded"},
    Symptom{"tight shoulders", "tight shoulders|knots in {my} shoulders", "trapezius tightness|shoulder girdle tension", "tight traps|shoulder knots"},
    Symptom{"poor sleep", "poor sleep|restless nights|trouble sleeping", "insomnia|disturbed sleep", "not sleeping|poor zzz", false},
    Symptom{"stiff neck", "a stiff neck|a neck that is hard to bend", "nuchal rigidity|neck stiffness", "neck stiff|stiff nuchal"},
    Symptom{"rash", "a rash|red spots on {my} {limb}|blotchy skin", "exanthem|maculopapular rash", "skin rash|spots"},
    Symptom{"confusion", "confusion|muddled thinking", "altered mentation|confusion", "AMS|confused"},
    Symptom{"painful urination", "burning when I pee|a sting when passing water|painful urination", "dysuria|burning micturition", "burns to pee|dysuric"},
    Symptom{"frequent urination", "frequent trips to the toilet|a need to pee all the time", "urinary frequency|polyuria", "peeing a lot|freq", false},
    Symptom{"blood in urine", "blood in {my} urine|pink urine", "hematuria|gross hematuria", "bloody urine|hem +", false},
    Symptom{"flank pain", "a stabbing pain in {my} side|pain below {my} ribs at the back", "flank pain|renal colic", "CVA tenderness|flank px"},
    Symptom{"pelvic pain", "pressure above {my} bladder|an ache low in {my} pelvis", "suprapubic pain|pelvic discomfort", "SP pain|pelvic px"},
    Symptom{"excessive thirst", "constant thirst|a thirst that never stops|a dry mouth all day", "polydipsia|excessive thirst", "always thirsty|drinks 5 L", false},
    Symptom{"weight loss", "weight loss|clothes that became too loose", "weight loss|unintentional weight loss", "lost 6 kg|wt loss", false},
    Symptom{"blurred vision", "blurred vision|blurry eyes", "blurred vision|reduced visual acuity", "blurry vision|VA down"},
    Symptom{"numbness", "numb {limb}|tingling in {my} {limb}", "paresthesia|peripheral numbness", "tingly {limb}|numb toes"},
    Symptom{"hunger", "hunger all day|a huge appetite", "polyphagia|increased appetite", "always hungry|eats lots", false},
    Symptom{"palpitations", "a racing heart|a pounding heart|heart flutters", "palpitations|tachycardia", "HR 120|palps"},
    Symptom{"heat intolerance", "trouble with warm rooms|feeling hot all the time", "heat intolerance|warmth intolerance", "always hot|hates heat", false},
    Symptom{"tremor", "shaky hands|trembling fingers", "tremor|fine tremor", "hands shake|tremulous"},
    Symptom{"hair loss", "hair loss|thinning hair", "alopecia|hair thinning", "losing hair|hair falls out"},
    Symptom{"loss of smell", "a lost sense of smell|food without any smell", "anosmia|loss of smell", "cannot smell|smell gone", false},
    Symptom{"swollen legs", "swollen legs|puffy ankles", "pedal edema|lower limb swelling", "leg edema|ankles puffy"},
    Symptom{"weight gain", "weight gain|extra pounds", "weight gain|increased body weight", "gained 5 kg|wt up", false},
    Symptom{"right upper abdominal pain", "pain under {my} right ribs after meals|an ache beneath {my} right ribs", "right upper quadrant pain|biliary colic", "RUQ pain|RUQ tenderness"},
    Symptom{"cold intolerance", "feeling cold all the time|trouble with cold rooms", "cold intolerance|increased sensitivity to cold", "always cold|hates cold", false},
    Symptom{"constipation", "constipation|hard stools", "constipation|infrequent stools", "no BM x4d|constip"},
    Symptom{"dry skin", "dry skin|flaky skin on {my} {limb}", "xerosis|dry skin", "skin dry|flaky skin"},
};
// clang-format on
static_assert(symptoms.size() <= 64);

/// The set of one symptom; a name that is none does not compile.
consteval SymptomSet symptom(std::string_view name) {
    for (std::size_t i = 0; i < symptoms.size(); ++i)
        if (symptoms[i].name == name) return SymptomSet(1) << i;
    throw "no symptom of this name";
}

consteval SymptomSet any_of(std::initializer_list<std::string_view> names) {
    SymptomSet set = 0;
    for (const std::string_view name : names) set |= symptom(name);
    return set;
}

/// A disease: its hallmarks, which every patient has though not every text tells, and what else may come with it.
/// `rivals` are diseases that are mistaken for it: they share symptoms, and each has a hallmark that the other never
/// has.
struct Disease {
    std::string_view name;
    SymptomSet hallmarks, others;
    std::array<std::string_view, 3> rivals = {};
    double later_weight = 1; ///< how often it comes in the later period
    bool only_later = false;

    constexpr SymptomSet possible() const { return hallmarks | others; }
};

// clang-format off
inline constexpr std::array diseases = {
    Disease{"influenza", any_of({"fever", "muscle aches"}),
            any_of({"cough", "chills", "headache", "fatigue", "loss of appetite", "runny nose", "sweating"}),
            {"common cold", "pneumonia", "covid"}, 3},
    Disease{"common cold", any_of({"runny nose", "sore throat"}), any_of({"sneezing", "cough", "headache", "fatigue"}),
            {"influenza", "allergic rhinitis"}, 2},
    Disease{"allergic rhinitis", any_of({"itchy eyes", "sneezing"}),
            any_of({"runny nose", "cough", "fatigue", "headache", "facial pressure"}), {"common cold"}, 0.5},
    Disease{"pneumonia", any_of({"fever", "shortness of breath"}),
            any_of({"cough", "chest pain", "chills", "fatigue", "loss of appetite", "sweating"}),
            {"influenza", "asthma"}, 2},
    Disease{"asthma", any_of({"wheezing"}), any_of({"shortness of breath", "cough", "chest pain", "fatigue"}),
            {"pneumonia", "heart failure"}, 1},
    Disease{"gastroenteritis", any_of({"diarrhea"}),
            any_of({"vomiting", "nausea", "fever", "abdominal cramps", "loss of appetite", "chills"}),
            {"appendicitis"}, 2},
    Disease{"appendicitis", any_of({"right lower abdominal pain"}),
            any_of({"nausea", "vomiting", "fever", "loss of appetite", "abdominal cramps"}),
            {"gastroenteritis", "gallstones"}, 0.5},
    Disease{"acid reflux", any_of({"heartburn"}), any_of({"cough", "nausea", "bloating", "chest pain"}),
            {"peptic ulcer"}, 0.5},
    Disease{"peptic ulcer", any_of({"stomach pain"}),
            any_of({"nausea", "bloating", "loss of appetite", "vomiting", "black stools"}),
            {"acid reflux", "gallstones"}, 0.5},
    Disease{"migraine", any_of({"headache", "visual aura"}),
            any_of({"light sensitivity", "nausea", "vomiting", "dizziness"}), {"tension headache", "meningitis"}, 0.7},
    Disease{"tension headache", any_of({"tight shoulders"}),
            any_of({"headache", "fatigue", "dizziness", "poor sleep"}), {"migraine"}, 1},
    Disease{"meningitis", any_of({"fever", "stiff neck"}),
            any_of({"headache", "light sensitivity", "nausea", "vomiting", "rash", "chills", "confusion"}),
            {"migraine"}, 0.5},
    Disease{"urinary tract infection", any_of({"painful urination"}),
            any_of({"frequent urination", "blood in urine", "fever", "chills", "pelvic pain"}),
            {"kidney stones", "type 2 diabetes"}, 1},
    Disease{"kidney stones", any_of({"flank pain"}),
            any_of({"blood in urine", "nausea", "vomiting", "sweating", "frequent urination", "pelvic pain"}),
            {"urinary tract infection"}, 0.5},
    Disease{"type 2 diabetes", any_of({"excessive thirst"}),
            any_of({"frequent urination", "weight loss", "fatigue", "blurred vision", "numbness", "hunger"}),
            {"urinary tract infection", "hyperthyroidism"}, 1},
    Disease{"hyperthyroidism", any_of({"palpitations"}),
            any_of({"weight loss", "sweating", "heat intolerance", "fatigue", "hunger", "tremor", "hair loss"}),
            {"type 2 diabetes", "hypothyroidism"}, 0.5},
    Disease{"covid", any_of({"loss of smell"}),
            any_of({"fever", "cough", "fatigue", "headache", "shortness of breath", "chills"}), {"influenza"}, 3, true},
    Disease{"heart failure", any_of({"swollen legs"}),
            any_of({"shortness of breath", "fatigue", "cough", "weight gain", "poor sleep"}), {"asthma"}, 2, true},
    Disease{"gallstones", any_of({"right upper abdominal pain"}),
            any_of({"nausea", "vomiting", "bloating", "fever", "loss of appetite"}),
            {"peptic ulcer", "appendicitis"}, 2, true},
    Disease{"hypothyroidism", any_of({"cold intolerance"}),
            any_of({"fatigue", "weight gain", "constipation", "dry skin", "hair loss"}), {"hyperthyroidism"}, 2, true},
};
// clang-format on

/// The number of the disease of this name, or the number of diseases where there is none.
constexpr std::size_t disease_number(std::string_view name) {
    std::size_t i = 0;
    while (i < diseases.size() && diseases[i].name != name) ++i;
    return i;
}

/// Which symptoms a text says the patient has, and which it says the patient has not.
struct Findings {
    SymptomSet affirmed = 0, denied = 0;
};

/// Whether a patient with these findings may have the disease: it can cause all that is affirmed, and none of its
/// hallmarks is denied.
constexpr bool consistent(const Disease& disease, const Findings& findings) {
    return (findings.affirmed & ~disease.possible()) == 0 && (findings.denied & disease.hallmarks) == 0;
}

/// The diseases consistent with the findings, bit d for disease d.
constexpr std::uint32_t diagnosis(const Findings& findings) {
    std::uint32_t found = 0;
    for (std::size_t d = 0; d < diseases.size(); ++d)
        if (consistent(diseases[d], findings)) found |= std::uint32_t(1) << d;
    return found;
}

}
