#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

/// The sentences of the clinical case study. `{slot}` is replaced by one of the slot's alternatives, which may hold
/// slots again. `{S}` is a list of affirmed symptoms; `{D}` one of denied symptoms, `{d}` the same without articles.
namespace didact::clinical {

enum class Register : std::uint8_t { lay, medical, notes };

struct Wording {
    std::string_view opening;    ///< first sentence, with {S}
    std::string_view more;       ///< further symptoms, with {S}
    std::string_view denial;     ///< with {d} or {D}
    std::string_view contrast;   ///< further symptoms and denied ones in one sentence, {S} and {d}
    std::string_view persistent; ///< symptoms that are there, said with a negative word
    std::string_view misleading; ///< {other}: a symptom that is not this patient's, or not now
    std::string_view background; ///< drugs, other diseases, daily life
};

inline constexpr Wording lay_wording{
    .opening =
        "I have had {S} for {duration} .|I have been having {S} since {since} .|It began {onset} with {S} .|"
        "I came in because of {S} .|For {duration} now I have had {S} .|My problem is {S} , it started {onset} .|"
        "I woke up {onset} with {S} .|Doctor , I keep getting {S} .",
    .more = "I also have {S} .|On top of that came {S} .|Then came {S} .|And {S} too .|"
            "What bothers me most is {S} .|I noticed {S} as well .",
    .denial = "I do not have {D} .|I have no {d} .|No {d} at all .|I have not had {D} .|I never had {D} with this .|"
              "Luckily no {d} .|At least I am free of {d} .",
    .contrast = "I also have {S} but no {d} .|Now {S} , without {d} .|No {d} , but I do have {S} .|"
                "I have {S} and not {D} .|Instead of {d} I have {S} .",
    .persistent = "I still have {S} , it will not go away .|No pill helps against {S} .|I cannot get rid of {S} .|"
                  "I have {S} , and it is not getting better .",
    .misleading = "My {relative} has {other} .|Last year I had {other} , but that went away .|"
                  "My {relative} was at the doctor for {other} .|As a child I often had {other} .|"
                  "I am afraid of getting {other} .",
    .background =
        "I take {drug} .|I take {drug} for {disease} .|My {relative} had {disease} .|I had {disease} years ago .|"
        "I work as a {job} .|I live with my {relative} .|I tried {drug} without success .|I quit smoking {onset} .|"
        "I am allergic to {drug} .|We came back from a trip {onset} .",
};

inline constexpr Wording medical_wording{
    .opening = "{patient} presents with {S} for {duration} .|{patient} reports {S} since {since} .|"
               "{patient} was seen for {S} of {duration} duration .|{patient} is referred with {S} , onset {onset} .|"
               "{patient} complains of {S} .|This is {patient} with {S} .",
    .more = "{he} also reports {S} .|Associated with {S} .|Examination shows {S} .|Further complaints are {S} .|"
            "Positive for {S} .|Accompanied by {S} .",
    .denial = "{he} denies {d} .|Denies {d} .|Negative for {d} .|No {d} .|No evidence of {d} .|{d} absent .|"
              "There is no history of {d} in this episode .|{d} not reported .",
    .contrast = "{he} reports {S} but denies {d} .|Positive for {S} , negative for {d} .|Without {d} , but with {S} .|"
                "{S} present , {d} absent .|Findings are {S} , no {d} .",
    .persistent = "{S} not relieved by rest .|No improvement of {S} so far .|{S} did not respond to {drug} .|"
                  "{he} cannot work because of {S} .",
    .misleading = "{his} {relative} has {other} .|Episode of {other} last year , resolved .|"
                  "Family history of {other} .|Remote history of {other} .|"
                  "{his} {relative} was recently treated for {other} .",
    .background =
        "Current medication is {drug} .|{he} takes {drug} daily .|Past medical history of {disease} .|"
        "Family history of {disease} .|{he} works as a {job} .|Allergic to {drug} .|Lives with {his} {relative} .|"
        "Started on {drug} {onset} .|Previously treated with {drug} for {disease} .|Non-smoker .",
};

inline constexpr Wording notes_wording{
    .opening =
        "{age} {sex} c/o {S} x {duration} .|pt w/ {S} since {since} .|walk-in : {S} .|CC : {S} , onset {onset} .|"
        "{age} {sex} , {S} .",
    .more = "also {S} .|plus {S} .|+ {S} .|adds {S} on asking .",
    .denial = "neg for {d} .|{d} : none .|no {d} .|pt denied {d} .|w/o {d} .|ruled out : {d} .",
    .contrast = "{S} yes , {d} no .|{S} , no {d} .|neg for {d} , pos for {S} .|{S} w/o {d} .",
    .persistent = "{S} , nil relief w/ {drug} .|{S} won't settle .|not coping with {S} .",
    .misleading = "{relative} has {other} .|prev {other} , resolved .|FHx {other} .|worried re {other} .",
    .background = "meds {drug} .|PMH {disease} .|FHx {disease} .|NKDA .|works as {job} .|on {drug} since {since} .|"
                  "on {drug} for {disease} .",
};

constexpr const Wording& wording(Register form) {
    return form == Register::lay ? lay_wording : form == Register::medical ? medical_wording : notes_wording;
}

/// Alternatives of a slot, separated by '|'.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 13> slots = {{
    {"duration", "{count} days|{count} weeks|about a week|almost a month|a few days|some {count} hours"},
    {"count", "two|three|four|five|six|ten"},
    {"onset",
     "yesterday|last week|on Monday|{count} days ago|this morning|over the weekend|after dinner|{count} weeks ago"},
    {"since", "yesterday|last week|Monday|{count} days ago|this morning|the weekend|{count} weeks ago"},
    {"severity", "mild|slight|moderate|bad|severe|terrible|intense"},
    {"limb", "arms|legs|hands|feet|fingers"},
    {"relative", "mother|father|sister|brother|wife|husband|daughter|son|neighbor"},
    {"job", "teacher|nurse|driver|farmer|cook|clerk|welder|student"},
    {"patient", "a {age}-year-old {sex}|the {sex} , {age} years old ,|our {age}-year-old patient"},
    {"age", "19|23|28|31|36|42|47|53|58|64|71|79"},
    {"other disease", "gout|arthritis|high blood pressure|psoriasis|epilepsy|depression|glaucoma|osteoporosis"},
    {"first drugs", "ibuprofen|paracetamol|aspirin|lisinopril|metformin|omeprazole|atorvastatin|amoxicillin|cetirizine|"
                    "salbutamol|vitamin D|cough syrup"},
    {"later drugs", "naproxen|ramipril|empagliflozin|pantoprazole|rosuvastatin|doxycycline|fexofenadine|budesonide|"
                    "sumatriptan|levothyroxine|magnesium tablets|eye drops"},
}};

}
