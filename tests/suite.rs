//! End-to-end tests of the built program, one file per behaviour.
#![allow(missing_docs)]

#[path = "suite/actions.rs"]
mod actions;
#[path = "suite/active.rs"]
mod active;
#[path = "suite/aggregates.rs"]
mod aggregates;
#[path = "suite/architecture.rs"]
mod architecture;
#[path = "suite/as_of.rs"]
mod as_of;
#[path = "suite/attribute_rows.rs"]
mod attribute_rows;
#[path = "suite/backfill.rs"]
mod backfill;
#[path = "suite/brakes.rs"]
mod brakes;
#[path = "suite/catalogue.rs"]
mod catalogue;
#[path = "suite/cdnow.rs"]
mod cdnow;
#[path = "suite/changing_lake.rs"]
mod changing_lake;
#[path = "suite/churn.rs"]
mod churn;
#[path = "suite/column_types.rs"]
mod column_types;
#[path = "suite/commands.rs"]
mod commands;
#[path = "suite/damage.rs"]
mod damage;
#[path = "suite/declarations.rs"]
mod declarations;
#[path = "suite/delta.rs"]
mod delta;
#[path = "suite/demo.rs"]
mod demo;
#[path = "suite/dependencies.rs"]
mod dependencies;
#[path = "suite/derived_times.rs"]
mod derived_times;
#[path = "suite/diff.rs"]
mod diff;
#[path = "suite/documented_commands.rs"]
mod documented_commands;
#[path = "suite/duplicates.rs"]
mod duplicates;
#[path = "suite/enrolment.rs"]
mod enrolment;
#[path = "suite/evolution.rs"]
mod evolution;
#[path = "suite/exact_values.rs"]
mod exact_values;
#[path = "suite/expect.rs"]
mod expect;
#[path = "suite/experiments.rs"]
mod experiments;
#[path = "suite/explain.rs"]
mod explain;
#[path = "suite/export.rs"]
mod export;
#[path = "suite/falling_days.rs"]
mod falling_days;
#[path = "suite/false_causes.rs"]
mod false_causes;
#[path = "suite/faults.rs"]
mod faults;
#[path = "suite/figures.rs"]
mod figures;
#[path = "suite/first_twenty.rs"]
mod first_twenty;
#[path = "suite/freshness.rs"]
mod freshness;
#[path = "suite/gaps.rs"]
mod gaps;
#[path = "suite/gates.rs"]
mod gates;
#[path = "suite/gc.rs"]
mod gc;
#[path = "suite/held.rs"]
mod held;
#[path = "suite/hierarchical.rs"]
mod hierarchical;
#[path = "suite/identity.rs"]
mod identity;
#[path = "suite/init.rs"]
mod init;
#[path = "suite/inject.rs"]
mod inject;
#[path = "suite/interrupt.rs"]
mod interrupt;
#[path = "suite/joins.rs"]
mod joins;
#[path = "suite/kept_fits.rs"]
mod kept_fits;
#[path = "suite/kill.rs"]
mod kill;
#[path = "suite/known_at.rs"]
mod known_at;
#[path = "suite/labelled.rs"]
mod labelled;
#[path = "suite/lake_files.rs"]
mod lake_files;
#[path = "suite/lakes.rs"]
mod lakes;
#[path = "suite/late_causes.rs"]
mod late_causes;
#[path = "suite/later_rows.rs"]
mod later_rows;
#[path = "suite/latest.rs"]
mod latest;
#[path = "suite/leaves.rs"]
mod leaves;
#[path = "suite/lifetime_always.rs"]
mod lifetime_always;
#[path = "suite/lost_files.rs"]
mod lost_files;
#[path = "suite/meanings.rs"]
mod meanings;
#[path = "suite/memory.rs"]
mod memory;
#[path = "suite/merge_causes.rs"]
mod merge_causes;
#[path = "suite/merges.rs"]
mod merges;
#[path = "suite/messages.rs"]
mod messages;
#[path = "suite/mistakes_together.rs"]
mod mistakes_together;
#[path = "suite/mixes.rs"]
mod mixes;
#[path = "suite/moves.rs"]
mod moves;
#[path = "suite/names.rs"]
mod names;
#[path = "suite/nearest.rs"]
mod nearest;
#[path = "suite/nights.rs"]
mod nights;
#[path = "suite/online_retail.rs"]
mod online_retail;
#[path = "suite/operation.rs"]
mod operation;
#[path = "suite/oracle.rs"]
mod oracle;
#[path = "suite/other_recency.rs"]
mod other_recency;
#[path = "suite/out_of_range.rs"]
mod out_of_range;
#[path = "suite/own_names.rs"]
mod own_names;
#[path = "suite/partitions.rs"]
mod partitions;
#[path = "suite/placeholders.rs"]
mod placeholders;
#[path = "suite/plan.rs"]
mod plan;
#[path = "suite/plan_as_run.rs"]
mod plan_as_run;
#[path = "suite/power_loss.rs"]
mod power_loss;
#[path = "suite/private_rows.rs"]
mod private_rows;
#[path = "suite/program.rs"]
mod program;
#[path = "suite/questions.rs"]
mod questions;
#[path = "suite/quiet_losses.rs"]
mod quiet_losses;
#[path = "suite/redefined.rs"]
mod redefined;
#[path = "suite/refit.rs"]
mod refit;
#[path = "suite/refunds.rs"]
mod refunds;
#[path = "suite/reliance.rs"]
mod reliance;
#[path = "suite/report_sql.rs"]
mod report_sql;
#[path = "suite/rfm_reference.rs"]
mod rfm_reference;
#[path = "suite/roles.rs"]
mod roles;
#[path = "suite/row_accounting.rs"]
mod row_accounting;
#[path = "suite/scheme_columns.rs"]
mod scheme_columns;
#[path = "suite/score_causes.rs"]
mod score_causes;
#[path = "suite/score_order.rs"]
mod score_order;
#[path = "suite/scores.rs"]
mod scores;
#[path = "suite/screens.rs"]
mod screens;
#[path = "suite/shop.rs"]
mod shop;
#[path = "suite/situations.rs"]
mod situations;
#[path = "suite/sizes.rs"]
mod sizes;
#[path = "suite/small_files.rs"]
mod small_files;
#[path = "suite/some_customers.rs"]
mod some_customers;
#[path = "suite/stages.rs"]
mod stages;
#[path = "suite/stand_ins.rs"]
mod stand_ins;
#[path = "suite/stated_shares.rs"]
mod stated_shares;
#[path = "suite/stays.rs"]
mod stays;
#[path = "suite/store_care.rs"]
mod store_care;
#[path = "suite/store_heals.rs"]
mod store_heals;
#[path = "suite/supervised.rs"]
mod supervised;
#[path = "suite/survival.rs"]
mod survival;
#[path = "suite/table.rs"]
mod table;
#[path = "suite/text_advice.rs"]
mod text_advice;
#[path = "suite/text_files.rs"]
mod text_files;
#[path = "suite/text_forms.rs"]
mod text_forms;
#[path = "suite/threads.rs"]
mod threads;
#[path = "suite/unedited.rs"]
mod unedited;
#[path = "suite/untimed.rs"]
mod untimed;
#[path = "suite/vacant.rs"]
mod vacant;
#[path = "suite/value.rs"]
mod value;
#[path = "suite/versions.rs"]
mod versions;
#[path = "suite/without_money.rs"]
mod without_money;
#[path = "suite/without_values.rs"]
mod without_values;
#[path = "suite/written_keys.rs"]
mod written_keys;
#[path = "suite/zones.rs"]
mod zones;
